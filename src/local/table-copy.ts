// Gives the data plane the routing table that this process follows, and keeps the keys that the data plane has
// from the registry. A data plane that has just started routes by them while the registry cannot respond, such
// as while its disk is full.

import { request } from "node:http";
import { wait } from "../agent/wait.ts";
import type { RoutingTable } from "../domain/table/table.ts";
import { printTable } from "../domain/table/text.ts";
import { entryHeader } from "../proxy/entry-facts.ts";
import type { RouterKeys } from "../proxy/routing/table-cache.ts";
import { sealFacts } from "./listener-profile.ts";
import type { RuntimeAgent } from "./runtime-agent.ts";

const sendRetryMs = 250;

export class TableCopy {
  readonly #agent: RuntimeAgent;
  readonly #entry: string;
  readonly #stopping = new AbortController();
  #text: string | null = null;
  #keys: RouterKeys = {};
  #isSending = false;
  /** The data plane may not have the text: it is newer, or the data plane is. */
  #isDue = false;

  /** @param agent its connections wait while the data plane restarts */
  constructor(agent: RuntimeAgent, entryKey: string) {
    this.#agent = agent;
    const facts = { role: "table", node: null, port: null, client: "-", scheme: "http" } as const;
    this.#entry = sealFacts(facts, entryKey);
  }

  /** The keys of routers; empty until the data plane has them. */
  get keys(): RouterKeys {
    return this.#keys;
  }

  /** Sends a newer table. */
  update(table: RoutingTable): void {
    this.#text = printTable(table);
    this.send();
  }

  /** Sends the table to a data plane that has started, as often as it takes. */
  send(): void {
    this.#isDue = true;
    if (!this.#isSending) void this.#sendAll();
  }

  /** Sends a report of this process through the data plane. Rejects if it has to be sent again. */
  async report(route: "suspects" | "counters", body: object): Promise<void> {
    const { status } = await this.#request("POST", `/${route}`, JSON.stringify(body));
    if (status !== 204) throw new Error(`the data plane responded with ${status}`);
  }

  stop(): void {
    this.#stopping.abort();
  }

  async #sendAll(): Promise<void> {
    const { signal } = this.#stopping;
    this.#isSending = true;
    while (this.#isDue && this.#text !== null && !signal.aborted) {
      this.#isDue = false;
      if (await this.#put(this.#text)) continue;
      this.#isDue = true;
      await wait(sendRetryMs, signal);
    }
    this.#isSending = false;
  }

  /** @returns true if the data plane has the table and its keys now */
  async #put(text: string): Promise<boolean> {
    try {
      const { status, body } = await this.#request("PUT", "/", JSON.stringify({ text, keys: this.#keys }));
      if (status !== 200) return false;
      this.#keys = JSON.parse(body) as RouterKeys;
      return true;
    } catch {
      return false;
    }
  }

  /** Rejects if the connection breaks. */
  #request(
    method: string,
    path: string,
    body: string,
  ): Promise<{ readonly status: number; readonly body: string }> {
    return new Promise((resolve, reject) => {
      const headers = { host: "localhost", [entryHeader]: this.#entry };
      const sent = request({ agent: this.#agent, method, path, headers }, (response) => {
        const parts: Buffer[] = [];
        response.on("data", (part: Buffer) => parts.push(part));
        response.once("error", reject);
        response.once("end", () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts).toString() }),
        );
      });
      sent.on("error", reject);
      sent.end(body);
    });
  }
}
