// The control API over a real registry, asked without a socket.

import { type ControlDeps, controlApp } from "../../../src/control/app.ts";
import { newTelemetry } from "../../support/telemetry.ts";
import { TestMesh } from "../registry/harness.ts";

export const operatorToken = "operator-secret";
export const viewerToken = "viewer-secret";

export type Asked = {
  readonly body?: unknown;
  /** Sent as it is, instead of `body`. */
  readonly text?: string | Uint8Array | ReadableStream;
  readonly token?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
};

export type Answered = {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as JSON; null when it is empty. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  readonly json: any;
};

/** A mesh of nodes node1.. with its control API. */
export class TestControl {
  readonly mesh = new TestMesh();
  readonly telemetry = newTelemetry(() => this.mesh.nowMs);
  /** What was logged of the mesh's own faults. */
  readonly log: Readonly<Record<string, unknown>>[] = [];
  /** Requests handed to the registry object. */
  readonly upgrades: Request[] = [];
  readonly #app;
  #made = 0;

  constructor(nodes = 2, deps: Partial<ControlDeps> = {}) {
    for (let number = 1; number <= nodes; number += 1) this.mesh.node(`node${number}`);
    this.#app = controlApp({
      mesh: this.mesh.registry,
      telemetry: this.telemetry,
      operatorToken,
      viewerToken,
      surroundings: { domain: "mesh.example.com", balancerPort: 8000 },
      now: () => this.mesh.nowMs,
      newId: () => `id${++this.#made}`,
      upgrade: async (request) => {
        this.upgrades.push(request);
        return Response.json({ message: "from the object" }, { status: 418 });
      },
      log: (record) => this.log.push(record),
      ...deps,
    });
  }

  /** `ask("GET /services?status=true")`; with the operator's token unless said otherwise. */
  async ask(line: string, { body, text, token = operatorToken, headers }: Asked = {}): Promise<Answered> {
    const [method = "", path = ""] = line.split(" ");
    const sent = method === "GET" || body === undefined ? text : JSON.stringify(body);
    const answer = await this.#app.fetch(
      new Request(`http://mesh.test:8787${path}`, {
        method,
        headers: { ...(token !== null && { authorization: `Bearer ${token}` }), ...headers },
        ...(sent !== undefined && { body: sent, duplex: "half" }),
      } as RequestInit),
    );
    const read = await answer.text();
    const isJson = answer.headers.get("content-type") === "application/json" && read !== "";
    return {
      status: answer.status,
      headers: answer.headers,
      text: read,
      json: isJson ? JSON.parse(read) : null,
    };
  }

  /** Creates a service and lets its tasks come up; returns its id. */
  async create(name: string, change: Readonly<Record<string, unknown>> = {}): Promise<string> {
    const { json, text, status } = await this.ask("POST /services/create", { body: spec(name, change) });
    if (status !== 201) throw new Error(text);
    this.mesh.work();
    return json.ID;
  }

  /** Reads a service, edits its Spec and writes it back, as the Docker CLI does. */
  async update(ref: string, edit: (spec: Spec) => object, query = ""): Promise<Answered> {
    const { json } = await this.ask(`GET /services/${ref}?insertDefaults=false`);
    const path = `/services/${json.ID}/update?version=${json.Version.Index}${query}`;
    return this.ask(`POST ${path}`, { body: edit(json.Spec) });
  }
}

// biome-ignore lint/suspicious/noExplicitAny: a document of the operator's, which may hold anything
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

/** A TaskTemplate with these parts beside the usual ones. */
export function running(container: object, template: object = {}): { TaskTemplate: object } {
  return {
    TaskTemplate: { ContainerSpec: { Image: "waggle/whoami:latest", ...container }, ...template },
  };
}

/** A `filters` parameter as the Docker CLI writes it. */
export function filtered(path: string, wanted: Readonly<Record<string, readonly string[]>>): string {
  const sets = Object.entries(wanted).map(([key, values]) => [
    key,
    Object.fromEntries(values.map((value) => [value, true])),
  ]);
  return `${path}?filters=${encodeURIComponent(JSON.stringify(Object.fromEntries(sets)))}`;
}
