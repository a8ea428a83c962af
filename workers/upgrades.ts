// The two WebSocket upgrades that the registry object answers: an agent's socket and a watcher's.

import { maxEventsKept } from "../src/domain/model/event.ts";
import { printable } from "../src/domain/model/printable.ts";
import { clientHeader } from "../src/protocol/agent.ts";
import { readAgentUpgrade } from "../src/protocol/agent-upgrade.ts";
import type { Registry } from "../src/registry/registry.ts";
import type { AgentSockets } from "./agent-sockets.ts";
import type { WatchSockets } from "./watch-sockets.ts";

/** Where upgrades lead to. */
type UpgradeTargets = {
  readonly registry: Registry;
  readonly agents: AgentSockets;
  readonly watchers: WatchSockets;
};

/**
 * Answers an upgrade. An agent's credential is checked here; the control Worker has checked a watcher's
 * token.
 */
export function acceptUpgrade(request: Request, targets: UpgradeTargets): Response {
  const url = new URL(request.url);
  if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
    return refusal(426, `${url.pathname} is a WebSocket: ask for an upgrade`, { upgrade: "websocket" });
  }
  if (url.pathname === "/mesh/agent") return acceptAgent(request.headers, targets);
  if (url.pathname === "/mesh/watch") return acceptWatcher(url.searchParams, targets);
  return refusal(404, "page not found");
}

function acceptAgent(headers: Headers, { registry, agents }: UpgradeTargets): Response {
  const claim = readAgentUpgrade(headers);
  if ("status" in claim) return refusal(claim.status, claim.message);
  const refused = registry.refuseNode(claim);
  if (refused !== null) return refusal(refused.status, refused.message);
  return agents.accept(claim.nodeId, headers.get(clientHeader), Date.now());
}

function acceptWatcher(query: URLSearchParams, { registry, watchers }: UpgradeTargets): Response {
  const since = query.get("since");
  if (since !== null && !/^\d{1,15}$/.test(since)) {
    return refusal(400, `cannot read since=${since.slice(0, 40)}: the number of the last event seen`);
  }
  const { version } = registry.table(Number.MAX_SAFE_INTEGER);
  const untilMs = Number(query.get("until") ?? Number.POSITIVE_INFINITY);
  const missed = since === null ? [] : registry.events(Number(since), maxEventsKept);
  return watchers.accept(missed, version, untilMs, query.get("session"));
}

function refusal(status: number, message: string, headers: Record<string, string> = {}): Response {
  return Response.json({ message: printable(message) }, { status, headers });
}
