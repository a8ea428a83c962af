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
  #put(text: string): Promise<boolean> {
    return new Promise((resolve) => {
      const headers = { host: "localhost", [entryHeader]: this.#entry };
      const sent = request({ agent: this.#agent, method: "PUT", path: "/", headers }, (response) => {
        const parts: Buffer[] = [];
        response.on("data", (part: Buffer) => parts.push(part));
        response.once("error", () => resolve(false));
        response.once("end", () => {
          if (response.statusCode !== 200) {
            resolve(false);
            return;
          }
          this.#keys = JSON.parse(Buffer.concat(parts).toString()) as RouterKeys;
          resolve(true);
        });
      });
      sent.on("error", () => resolve(false));
      sent.end(JSON.stringify({ text, keys: this.#keys }));
    });
  }
}
