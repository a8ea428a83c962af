// A control API over a real registry, called without a socket.

import { type ControlDeps, controlApp } from "../../../src/control/app.ts";
import { newTelemetry } from "../../support/telemetry.ts";
import { TestMesh } from "../registry/harness.ts";

export const operatorToken = "an-operator-secret";
export const viewerToken = "the-viewer-secret";

export type RequestOptions = {
  readonly body?: unknown;
  /** The raw body, instead of `body`. */
  readonly text?: string | Uint8Array | ReadableStream;
  readonly token?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  /** The address of the connection. */
  readonly client?: string | null;
};

export type TestResponse = {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Uint8Array;
  readonly text: string;
  /** The body as JSON; null if it is empty. */
  // biome-ignore lint/suspicious/noExplicitAny: tests read responses of every shape
  readonly json: any;
};

/** A mesh of nodes node1, node2, … with its control API. */
export class TestControl {
  readonly mesh = new TestMesh();
  readonly telemetry = newTelemetry(() => this.mesh.nowMs);
  /** The log of internal errors. */
  readonly log: Readonly<Record<string, unknown>>[] = [];
  /** Requests forwarded to the registry object. */
  readonly upgrades: Request[] = [];
  readonly #app;
  #idCount = 0;

  constructor(nodes = 2, deps: Partial<ControlDeps> = {}) {
    for (let number = 1; number <= nodes; number += 1) this.mesh.node(`node${number}`);
    this.#app = controlApp({
      mesh: this.mesh.registry,
      telemetry: this.telemetry,
      counters: this.telemetry,
      operatorToken,
      viewerToken,
      entrySettings: { domain: "mesh.example.com", balancerPort: 8000 },
      now: () => this.mesh.nowMs,
      newId: () => `id${++this.#idCount}`,
      dialGateway: async () => new Response(null, { status: 503 }),
      forward: async (request) => {
        this.upgrades.push(request);
        return Response.json({ message: "from the object" }, { status: 418 });
      },
      log: (record) => this.log.push(record),
      ...deps,
    });
  }

  /** Sends a request: `ask("GET /services?status=true")`. The default is the operator's token. */
  async ask(
    line: string,
    { body, text, token = operatorToken, headers, client = null }: RequestOptions = {},
  ): Promise<TestResponse> {
    const [method = "", path = ""] = line.split(" ");
    const rawBody = method === "GET" || body === undefined ? text : JSON.stringify(body);
    const response = await this.#app.fetch(
      new Request(`http://mesh.test:8787${path}`, {
        method,
        headers: { ...(token !== null && { authorization: `Bearer ${token}` }), ...headers },
        ...(rawBody !== undefined && { body: rawBody, duplex: "half" }),
      } as RequestInit),
      { client },
    );
    const bytes = new Uint8Array(await response.arrayBuffer());
    const responseText = new TextDecoder().decode(bytes);
    // A stream of events has a line of JSON each.
    const isJson =
      response.headers.get("content-type") === "application/json" && !/\n./.test(responseText.trim());
    return {
      status: response.status,
      headers: response.headers,
      bytes,
      text: responseText,
      json: isJson && responseText !== "" ? JSON.parse(responseText) : null,
    };
  }

  /** Creates a service and runs its tasks; returns its id. */
  async create(name: string, change: Readonly<Record<string, unknown>> = {}): Promise<string> {
    const { json, text, status } = await this.ask("POST /services/create", { body: spec(name, change) });
    if (status !== 201) throw new Error(text);
    this.mesh.work();
    return json.ID;
  }

  /** Reads a service, edits its Spec and writes it back, as the Docker CLI does. */
  async update(ref: string, edit: (spec: Spec) => object, query = ""): Promise<TestResponse> {
    const { json } = await this.ask(`GET /services/${ref}?insertDefaults=false`);
    const path = `/services/${json.ID}/update?version=${json.Version.Index}${query}`;
    return this.ask(`POST ${path}`, { body: edit(json.Spec) });
  }
}

// biome-ignore lint/suspicious/noExplicitAny: the operator's document may contain anything
export type Spec = Record<string, any>;

/** What `docker service create --name NAME --publish published=8080,target=80 --replicas 2 waggle/whoami` sends. */
export function spec(name: string, change: Readonly<Record<string, unknown>> = {}): Spec {
  return {
    Name: name,
    Labels: {},
    TaskTemplate: {
      ContainerSpec: { Image: "waggle/whoami:latest", Init: false, DNSConfig: {} },
      Resources: { Limits: {}, Reservations: {} },
      Placement: {},
      ForceUpdate: 0,
    },
    Mode: { Replicated: { Replicas: 2 } },
    EndpointSpec: {
      Mode: "vip",
      Ports: [{ Protocol: "tcp", TargetPort: 80, PublishedPort: 8080, PublishMode: "ingress" }],
    },
    ...change,
  };
}

/** An EndpointSpec with these ports. */
export function publishing(...ports: object[]): { EndpointSpec: object } {
  return { EndpointSpec: { Ports: ports } };
}

/** A TaskTemplate with these fields besides the usual ones. */
export function running(container: object, template: object = {}): { TaskTemplate: object } {
  return {
    TaskTemplate: { ContainerSpec: { Image: "waggle/whoami:latest", ...container }, ...template },
  };
}

/** A `filters` parameter as the Docker CLI writes it. */
export function filtered(path: string, filters: Readonly<Record<string, readonly string[]>>): string {
  const sets = Object.entries(filters).map(([key, values]) => [
    key,
    Object.fromEntries(values.map((value) => [value, true])),
  ]);
  return `${path}?filters=${encodeURIComponent(JSON.stringify(Object.fromEntries(sets)))}`;
}
