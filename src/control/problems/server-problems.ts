// The problems of static servers: those that are down, once for each cause.

import { serverName } from "../../domain/model/server.ts";
import { lastCheckText } from "../../domain/model/server-health.ts";
import type { StatusProblem } from "../../protocol/status.ts";
import type { ServerView } from "../../registry/api.ts";
import { withoutVariables } from "./task-cause.ts";
import { countText, listText } from "./words.ts";

/** Servers named in one problem; the others are counted. */
const maxNamedServers = 3;

/** A server in maint is down on purpose, so it is not a problem. */
function isServerDown({ admin, health }: ServerView): boolean {
  return admin !== "maint" && health !== null && !health.up;
}

/** @param servers of one service */
export function downServers(
  service: string,
  servers: readonly ServerView[],
  isServiceDown: boolean,
): StatusProblem[] {
  const down = servers.filter(isServerDown);
  const groups = Map.groupBy(down, (server) => withoutVariables(lastCheckText(server), undefined));
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const check = lastCheckText(first);
    const name = serverName(service, first);
    const names = listText(
      group.map(({ spec }) => spec.name),
      maxNamedServers,
    );
    const why = check === "" ? "down" : `down: ${check}`;
    const isOne = group.length === 1;
    return [
      {
        what: isOne ? `server ${name}` : `service ${service}`,
        why: isOne
          ? why
          : `${group.length} of ${countText(servers.length, "static server")} ${why} (${names})`,
        next: isOne
          ? `Check the server itself, or take it out of rotation: \`waggle server set ${name} --admin maint\`.`
          : `Check the servers themselves, or take them out of rotation: \`waggle server set ${name} --admin maint\`.`,
        sinceMs: Math.min(...group.map(({ health }) => health?.sinceMs ?? Number.POSITIVE_INFINITY)),
        service,
        ...(isServiceDown
          ? ({ severity: "bad", headline: `${service} is down` } as const)
          : ({ severity: "warn" } as const)),
      },
    ];
  });
}
