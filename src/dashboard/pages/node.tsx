// One node: how it is, its tasks, and what may be done to it.

import type { Availability, Node } from "../../domain/node.ts";
import { isAlive } from "../../domain/task.ts";
import type { MayAct } from "../may-act.ts";
import { BalanceLinks } from "../parts/balance.tsx";
import { EventList } from "../parts/event-list.tsx";
import { Figure } from "../parts/figure.tsx";
import { nodeWord } from "../parts/node-state.tsx";
import { Places } from "../parts/places.tsx";
import { TaskTable } from "../parts/task-table.tsx";
import { measuredOf, TrafficSection } from "../parts/traffic.tsx";
import { nodePath, number } from "../parts/words.tsx";
import type { View } from "../view.ts";
import { machine } from "./nodes.tsx";
import { Labels, type Measures } from "./service.tsx";

const eventsShown = 15;

export function NodePage({
  view,
  node,
  mayAct,
  measures: { whole, parts, span },
}: {
  view: View;
  node: Node;
  mayAct: MayAct;
  measures: Measures;
}) {
  const tasks = view.tasksOfNode(node.id);
  const alive = tasks.filter((task) => isAlive(task));
  const events = view.events.filter(
    ({ subject, actor }) => subject.id === node.id || actor === `node ${node.hostname}`,
  );
  return (
    <>
      <div class="title" id="title" data-part>
        <h1>{node.hostname}</h1>
        <p class="muted">{machine(node)}</p>
      </div>
      <dl class="figures" id="figures" data-part>
        <Figure
          label="State"
          value={nodeWord(node) === "active" ? "ready" : nodeWord(node)}
          {...(node.message !== "" && { note: node.message })}
        />
        <Figure label="Tasks" value={number(alive.length)} />
        <Figure label="Address" value={node.address} />
        <Figure label="Agent" value={node.engineVersion} />
      </dl>
      <Actions node={node} view={view} mayAct={mayAct} />
      <TrafficSection
        measured={measuredOf(whole, whole?.nodes, node.id)}
        span={span}
        path={nodePath(node, view.nodes)}
      />
      <section aria-labelledby="tasks-title" id="tasks" data-part>
        <h2 id="tasks-title">Tasks</h2>
        <TaskTable tasks={tasks} view={view} by="node" traffic={parts} mayAct={mayAct.may} />
      </section>
      <Places snapshot={parts} view={view} />
      <Labels labels={node.labels} />
      <section aria-labelledby="events-title" id="events" data-part>
        <h2 id="events-title">Events</h2>
        <EventList events={events.slice(0, eventsShown)} view={view} />
      </section>
    </>
  );
}

const moves: Readonly<Record<Availability, string>> = { active: "Activate", pause: "Pause", drain: "Drain" };

function Actions({ node, view, mayAct }: { node: Node; view: View; mayAct: MayAct }) {
  if (!mayAct.may) return <p class="read-only">{mayAct.why}</p>;
  const path = `${nodePath(node, view.nodes)}/availability`;
  const others = (Object.keys(moves) as Availability[]).filter((to) => to !== node.availability);
  return (
    <section class="actions" aria-label="Actions" id="actions" data-part>
      {others.map((to) => (
        <a class="button" href={`${path}?to=${to}`}>
          {moves[to]}…
        </a>
      ))}
      <span class="muted">at the balancer: {node.balance ?? "ready"}, set to</span>
      <BalanceLinks
        name={node.hostname}
        present={node.balance ?? "ready"}
        path={`/dashboard/nodes/${node.id}/balance`}
      />
    </section>
  );
}
