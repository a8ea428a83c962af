// Follows the routing table from outside the Workers runtime. The watch socket announces each change; the
// table is also fetched after every reconnect, so that a missed frame does not matter.

import WebSocket from "ws";
import type { EngineNode } from "../cli/engine.ts";
import { readTableUpdate } from "../domain/table/apply-change.ts";
import type { RoutingTable } from "../domain/table/table.ts";
import { readableTableFormats } from "../domain/table/text.ts";
import { ingressLabel } from "../protocol/engine/machine-labels.ts";
import { WatchFrame } from "../protocol/watch.ts";

export type TableFollower = { readonly stop: () => void };

const tableRedialMs = 250;

/**
 * Calls `onTable` with the current table and with each newer one.
 *
 * @param control origin of the control API, for example `http://127.0.0.1:8787`
 */
export function followTable(
  control: string,
  token: string,
  onTable: (table: RoutingTable) => Promise<void>,
): TableFollower {
  let held: RoutingTable | null = null;
  let isStopped = false;
  let socket: WebSocket | null = null;
  let refreshing = Promise.resolve();

  const refresh = (): void => {
    refreshing = refreshing.then(async () => {
      if (isStopped) return;
      const text = await fetchTable(control, token, held?.version ?? -1);
      if (text === null) return;
      held = readTableUpdate(text, held);
      await onTable(held);
    });
    refreshing = refreshing.catch(() => {
      // The whole table is fetched after the reconnect.
      held = null;
      socket?.terminate();
    });
  };

  const dial = (): void => {
    if (isStopped) return;
    const watch = new WebSocket(`${control.replace(/^http/, "ws")}/mesh/watch`, { headers: bearer(token) });
    socket = watch;
    watch.on("open", refresh);
    watch.on("message", (data) => {
      const frame = WatchFrame.safeParse(JSON.parse(String(data)));
      if (frame.success && frame.data.type === "table" && frame.data.version !== held?.version) refresh();
    });
    watch.on("error", () => watch.terminate());
    watch.on("close", () => setTimeout(dial, tableRedialMs));
  };
  dial();
  return {
    stop: () => {
      isStopped = true;
      socket?.terminate();
    },
  };
}

async function fetchTable(control: string, token: string, after: number): Promise<string | null> {
  const query = `after=${after}&formats=${readableTableFormats.join()}`;
  const response = await fetch(`${control}/mesh/table?${query}`, { headers: bearer(token) });
  if (response.status === 304) return null;
  if (!response.ok) throw new Error(`GET /mesh/table responded with ${response.status}`);
  return response.text();
}

/** Ids of the nodes whose agents open their published ports themselves. */
export async function fetchNodesWithIngress(control: string, token: string): Promise<ReadonlySet<string>> {
  const response = await fetch(`${control}/nodes`, { headers: bearer(token) });
  if (!response.ok) throw new Error(`GET /nodes responded with ${response.status}`);
  const nodes = (await response.json()) as EngineNode[];
  const withIngress = nodes.filter(({ Description }) => ingressLabel in (Description?.Engine?.Labels ?? {}));
  return new Set(withIngress.map(({ ID }) => ID));
}

function bearer(token: string): { authorization: string } {
  return { authorization: `Bearer ${token}` };
}
