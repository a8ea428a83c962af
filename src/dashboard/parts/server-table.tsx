// Static servers as a table: how each is by its checks, and what it takes part in.

import { hostPort } from "../../domain/server.ts";
import { downtimeMs, lastCheckText, serverStatus } from "../../domain/server-health.ts";
import type { ServerView } from "../../registry/api.ts";
import type { Snapshot } from "../../telemetry/snapshot.ts";
import { lookOfServer, meanings } from "../task-look.ts";
import { duration } from "../text.ts";
import type { View } from "../view.ts";
import { BalanceLinks } from "./balance.tsx";
import { Glyph } from "./glyph.tsx";
import { NowCells, NowHeadings } from "./now.tsx";
import { For } from "./words.tsx";

type Shown = { servers: readonly ServerView[]; view: View; traffic: Snapshot | null; mayAct: boolean };

export function ServerTable({ servers, view, traffic, mayAct }: Shown) {
  const counted = new Map(traffic?.services.flatMap(({ tasks }) => tasks.map((task) => [task.id, task])));
  return (
    <section class="scroll" aria-label="Table of static servers" tabindex={0}>
      <table class="list">
        <thead>
          <tr>
            <th scope="col">Server</th>
            <th scope="col">State</th>
            <th scope="col">For</th>
            <th scope="col">Check</th>
            {traffic !== null && <NowHeadings />}
            <th scope="col">Weight</th>
            <th scope="col">Down in all</th>
            {mayAct && <th scope="col">Balancing</th>}
          </tr>
        </thead>
        <tbody>
          {servers.map((server) => (
            <tr id={server.id}>
              <th scope="row">
                {server.spec.name}
                <span class="sub">{hostPort(server.spec.host, server.spec.port)}</span>
              </th>
              <td>
                <State server={server} />
              </td>
              <td class="figure">
                {server.health !== null && <For sinceMs={server.health.sinceMs} nowMs={view.nowMs} />}
              </td>
              <td>{lastCheckText(server)}</td>
              {traffic !== null && <NowCells traffic={counted.get(server.id)} />}
              <td class="figure">
                {server.spec.weight}
                {server.spec.backup && <span class="sub">backup</span>}
              </td>
              <td class="figure">{downtime(server, view.nowMs)}</td>
              {mayAct && (
                <td>
                  <BalanceLinks
                    name={server.spec.name}
                    present={server.admin}
                    path={`/dashboard/servers/${server.id}/balance`}
                  />
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** HAProxy's word for it, with its shape. */
function State({ server }: { server: ServerView }) {
  const look = lookOfServer(server);
  return (
    <span class={`state is-${look}`} title={meanings[look]}>
      <Glyph look={look} /> {serverStatus(server)}
    </span>
  );
}

function downtime({ admin, health }: ServerView, nowMs: number): string {
  return health === null ? "" : duration(downtimeMs(admin, health, nowMs));
}
