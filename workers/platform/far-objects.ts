// Durable Objects that are far away: their namespaces with a delay, half of it before a call and half after. The
// Workers and objects of the mesh get these in their environment in the place of the platform's own.

import type { Env } from "../env.ts";

/** The bindings to Durable Objects. */
export const objectBindings = ["REGISTRY", "TELEMETRY", "PROBER", "TUNNEL"] as const;
export type ObjectBinding = (typeof objectBindings)[number];

/** An object as its callers use it: `fetch`, and methods by RPC. */
export type ObjectStub = {
  readonly fetch: (request: Request) => Promise<Response>;
  readonly call: (method: string, args: readonly unknown[]) => Promise<unknown>;
};

type Connect = (binding: ObjectBinding, name: string) => ObjectStub;

/** An environment whose objects are reached by `connect`. */
export function withObjects<Bindings>(env: Bindings, connect: Connect): Bindings & Env {
  const namespaces = objectBindings.map((binding) => [
    binding,
    { getByName: (name: string) => stubProxy(connect(binding, name)) },
  ]);
  return { ...env, ...Object.fromEntries(namespaces) };
}

/** A stub in the platform's form, whose methods are properties of any name. */
function stubProxy({ fetch: fetchObject, call }: ObjectStub): object {
  return new Proxy(
    {},
    {
      get: (_, name) => {
        if (name === "fetch")
          return (input: RequestInfo, init?: RequestInit) => fetchObject(new Request(input, init));
        // A stub is not a promise.
        if (typeof name !== "string" || name === "then") return undefined;
        return (...args: readonly unknown[]) => call(name, args);
      },
    },
  );
}

/** A stub of an object of this Worker, `rttMs` milliseconds away. */
export function farStub(env: Env, rttMs: number, binding: ObjectBinding, name: string): ObjectStub {
  const stub = env[binding]?.getByName(name) as unknown as Record<
    string,
    (...args: readonly unknown[]) => Promise<unknown>
  >;
  return {
    fetch: (request) => delayed(rttMs, () => stub.fetch?.(request) as Promise<Response>),
    call: (method, args) => delayed(rttMs, async () => stub[method]?.(...args)),
  };
}

async function delayed<T>(rttMs: number, call: () => Promise<T>): Promise<T> {
  await pause(rttMs / 2);
  try {
    return await call();
  } finally {
    await pause(rttMs / 2);
  }
}

function pause(ms: number): Promise<void> | undefined {
  return ms === 0 ? undefined : new Promise((resolve) => setTimeout(resolve, ms));
}
