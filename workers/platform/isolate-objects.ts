// How an isolate calls the Durable Objects: through one binding to the Worker that has them, which adds the delay.

import { type ObjectBinding, type ObjectStub, objectBindings } from "./far-objects.ts";

/** The entry point `Objects` of workers/platform/mesh.ts. */
export type ObjectsBinding = {
  call(binding: ObjectBinding, name: string, method: string, args: readonly unknown[]): Promise<unknown>;
  fetch(request: Request): Promise<Response>;
};

/** Names the object of a request: its binding and its name. */
const objectHeader = "x-platform-object";

/** A stub of an object behind the binding. */
export function boundStub(objects: ObjectsBinding, binding: ObjectBinding, name: string): ObjectStub {
  return {
    fetch: (request) => {
      const sent = new Request(request);
      sent.headers.set(objectHeader, `${binding} ${name}`);
      return objects.fetch(sent);
    },
    call: (method, args) => objects.call(binding, name, method, args),
  };
}

/** The object that a request of `boundStub` is for, and the request as the object gets it. */
export function readBoundRequest(request: Request): {
  readonly binding: ObjectBinding;
  readonly name: string;
  readonly request: Request;
} {
  const [text = "", name = ""] = (request.headers.get(objectHeader) ?? "").split(" ");
  const binding = objectBindings.find((known) => known === text);
  if (binding === undefined) throw new Error(`no binding of an object has the name "${text}"`);
  const sent = new Request(request);
  sent.headers.delete(objectHeader);
  return { binding, name, request: sent };
}
