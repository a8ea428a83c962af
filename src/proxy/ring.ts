// A ring: the tasks and servers one route may send to, and which of them take whom.

import type { Share, TableService } from "../domain/table.ts";

/** A task, or a static server, as one route reaches it. */
export type Target = {
  /** Id of the task or server. */
  readonly taskId: string;
  /** 0 for a global service's task and for a server. */
  readonly slot: number;
  /** Empty for a server: it is on no node of the mesh. */
  readonly nodeId: string;
  /** The server's name; null for a task. */
  readonly server: string | null;
  /** `http://127.0.0.2:41233`, no slash at its end. */
  readonly origin: string;
  readonly share: Share;
};

/** Targets ascending by id, and those ids: what round robin goes round. */
export type Ring = {
  /** Those that take new clients: all that are not backups, or the backups where there is no other. */
  readonly ids: readonly string[];
  readonly targets: readonly Target[];
  /** Backups that take a request when none of the above is left to ask; null: none. */
  readonly backups: Ring | null;
  /** All of them, with those that take only clients whose sticky cookie names them. */
  readonly all: readonly Target[];
};

/** The ring of these targets, which ascend by id. */
export function ringOf(all: readonly Target[]): Ring {
  const open = all.filter(({ share }) => share.weight > 0 && share.drain !== true);
  const active = open.filter(({ share }) => share.backup !== true);
  if (active.length === open.length) return ring(open, null, all);
  const backups = ring(
    open.filter(({ share }) => share.backup === true),
    null,
    all,
  );
  return active.length === 0 ? backups : ring(active, backups, all);
}

function ring(targets: readonly Target[], backups: Ring | null, all: readonly Target[]): Ring {
  return { ids: targets.map(({ taskId }) => taskId), targets, backups, all };
}

/** What a service has at one target port, ascending by id. A task that does not listen there has no part in it. */
export function targetsOf({ tasks, servers = [] }: TableService, port: number): readonly Target[] {
  const targets: Target[] = [];
  for (const task of tasks) {
    const origin = task.endpoints.find(([target]) => target === port)?.[1];
    if (origin === undefined) continue;
    const { id, slot, nodeId } = task;
    targets.push({ taskId: id, slot, nodeId, server: null, origin, share: task });
  }
  if (servers.length === 0) return targets;
  for (const server of servers) {
    const { id, name, origin } = server;
    targets.push({ taskId: id, slot: 0, nodeId: "", server: name, origin, share: server });
  }
  return targets.sort((a, b) => (a.taskId < b.taskId ? -1 : 1));
}
