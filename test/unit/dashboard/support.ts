// The dashboard on a real registry, with one simulated browser; requests are function calls.

import { type DashboardDeps, dashboardApp } from "../../../src/dashboard/app.ts";
import type { StaticAssets } from "../../../src/dashboard/assets.ts";
import { unwrap } from "../../../src/domain/model/error.ts";
import { readServiceSpec } from "../../../src/protocol/engine/read-service.ts";
import type { Telemetry } from "../../../src/telemetry/telemetry.ts";
import { newTelemetry } from "../../support/telemetry.ts";
import { spec } from "../control/support.ts";
import { TestMesh } from "../registry/harness.ts";

export const operatorToken = "an-operator-secret";
export const viewerToken = "the-viewer-secret";

/** Placeholders: the content matters in a browser only, and is tested there. */
const assets: StaticAssets = {
  live: { name: "live-00000001.js", type: "text/javascript; charset=utf-8", text: "live" },
  charts: { name: "charts-00000002.js", type: "text/javascript; charset=utf-8", text: "charts" },
  style: { name: "style-00000003.css", type: "text/css; charset=utf-8", text: "style" },
};

export type DashboardResponse = {
  readonly status: number;
  readonly headers: Headers;
  readonly location: string | null;
  readonly text: string;
};

export type DashboardRequest = {
  readonly headers?: Readonly<Record<string, string>>;
  /** The fields of a form. */
  readonly form?: Readonly<Record<string, string>>;
};

/** A mesh of nodes node1, node2, … with its dashboard and one browser. */
export class TestDashboard {
  readonly mesh: TestMesh;
  readonly telemetry: Telemetry;
  /** WebSocket upgrades passed to the registry object. */
  readonly upgrades: Request[] = [];
  origin = "http://mesh.test:8787";
  sharesOrigin = false;
  /** The browser's cookies, by name. */
  readonly cookies = new Map<string, string>();
  /** The last Set-Cookie header. */
  setCookie = "";
  readonly #app;
  #idCount = 0;

  constructor(nodes = 2, deps: Partial<DashboardDeps> = {}, mesh = new TestMesh()) {
    this.mesh = mesh;
    this.telemetry = newTelemetry(() => this.mesh.nowMs);
    for (let number = 1; number <= nodes; number += 1) this.mesh.node(`node${number}`);
    this.#app = dashboardApp({
      mesh: this.mesh.registry,
      telemetry: this.telemetry,
      counters: this.telemetry,
      meshName: "test",
      operatorToken,
      viewerToken,
      assets,
      access: null,
      entrySettings: { domain: "", balancerPort: 8000 },
      now: () => this.mesh.nowMs,
      newId: () => `id${++this.#idCount}`,
      dialGateway: async () => new Response(null, { status: 503 }),
      forward: async (request) => {
        this.upgrades.push(request);
        return new Response("from the object", { status: 418 });
      },
      ...deps,
    });
  }

  async ask(requestLine: string, { headers = {}, form }: DashboardRequest = {}): Promise<DashboardResponse> {
    const [method = "", path = ""] = requestLine.split(" ");
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const request = new Request(`${this.origin}${path}`, {
      method,
      headers: {
        host: new URL(this.origin).host,
        ...(cookie !== "" && { cookie }),
        ...(method === "POST" && { origin: this.origin }),
        ...headers,
      },
      ...(form !== undefined && { body: new URLSearchParams(form) }),
    });
    const response = await this.#app.fetch(request, { sharesOrigin: this.sharesOrigin, client: null });
    for (const setCookie of response.headers.getSetCookie()) this.#storeCookie(setCookie);
    return {
      status: response.status,
      headers: response.headers,
      location: response.headers.get("location"),
      text: await response.text(),
    };
  }

  signIn(token = operatorToken, to?: string): Promise<DashboardResponse> {
    return this.ask("POST /dashboard/sign-in", { form: { token, ...(to !== undefined && { to }) } });
  }

  /** Opens a confirmation page and submits its form, with the hidden fields of the page. */
  async confirm(path: string, change: Readonly<Record<string, string>> = {}): Promise<DashboardResponse> {
    const page = await this.ask(`GET ${path}`);
    return this.ask(`POST ${path.split("?")[0]}`, { form: { ...fieldsOf(page.text, "confirm"), ...change } });
  }

  /** Creates a service with two running tasks, from the document that `docker service create` sends. */
  service(name: string, change: Readonly<Record<string, unknown>> = {}): string {
    const created = unwrap(this.mesh.registry.createService(readServiceSpec(spec(name, change)), "operator"));
    this.mesh.work();
    return created.id;
  }

  #storeCookie(setCookie: string): void {
    this.setCookie = setCookie;
    const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(setCookie) ?? [];
    if (/Max-Age=0/i.test(setCookie)) this.cookies.delete(name);
    else this.cookies.set(name, value);
  }
}

/** The hidden fields of the form in the element with this class. */
export function fieldsOf(html: string, section: string): Record<string, string> {
  const part = html.slice(html.indexOf(`class="${section}"`));
  const inputs = part.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g);
  return Object.fromEntries([...inputs].map(([, name = "", value = ""]) => [name, value]));
}
