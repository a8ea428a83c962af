import fc from "fast-check";
import { expect, test } from "vitest";
import { type ContainerFacts, discover } from "../../../src/agent/discovery/describe.ts";
import { changesOf } from "../../../src/agent/discovery/discovery.ts";
import { DockerState } from "../../../src/agent/discovery/docker-state.ts";

/** The containers of a daemon that tests change, with the events that dockerd writes. */
class ContainerTable {
  readonly containers = new Map<string, ContainerFacts>();
  isAway = false;
  #startedAtMs = 0;

  readonly source = {
    containerIds: async () =>
      [...this.#read().values()].filter(({ isRunning }) => isRunning).map(({ id }) => id),
    container: async (id: string) => this.#read().get(id) ?? null,
    swarm: async () => null,
  };

  /** Applies a step; returns the line of its event, null if nothing happened. */
  apply({ kind, name, port }: Step): string | null {
    const id = name.repeat(64);
    const known = this.containers.get(id);
    if (kind === "run" && known === undefined) this.containers.set(id, this.#made(id, name, port));
    else if (kind === "stop" && known?.isRunning) this.containers.set(id, { ...known, isRunning: false });
    else if (kind === "start" && known?.isRunning === false) this.containers.set(id, this.#started(known));
    else if (kind === "remove" && known !== undefined) this.containers.delete(id);
    else if (kind === "connect" && known !== undefined) {
      this.containers.set(id, { ...known, address: known.address === null ? "172.17.0.9" : null });
      return JSON.stringify({
        Type: "network",
        Action: "connect",
        Actor: { ID: "n", Attributes: { container: id } },
      });
    } else return null;
    return JSON.stringify({ Type: "container", Action: kind, Actor: { ID: id, Attributes: {} } });
  }

  #made(id: string, name: string, port: number): ContainerFacts {
    const labels = { "waggle.service": name < "c" ? "web" : "api", "waggle.publish": `${port}:80` };
    const common = { id, name, image: "nginx", labels, health: null, network: "bridge", exposed: [80] };
    return this.#started({ ...common, isRunning: true, startedAtMs: 0, address: "172.17.0.2" });
  }

  #started(container: ContainerFacts): ContainerFacts {
    this.#startedAtMs += 1;
    return { ...container, isRunning: true, startedAtMs: this.#startedAtMs };
  }

  #read(): ReadonlyMap<string, ContainerFacts> {
    if (this.isAway) throw new Error("connect ECONNREFUSED");
    return this.containers;
  }
}

const step = fc.record({
  kind: fc.constantFrom("run", "run", "stop", "start", "remove", "connect"),
  name: fc.constantFrom("a", "b", "c", "d"),
  port: fc.constantFrom(8_080, 8_081),
});
type Step = { readonly kind: string; readonly name: string; readonly port: number };
const turn = fc.record({
  step,
  /** Whether it is received at once, later, twice, lost with its connection, or while the daemon does not respond. */
  event: fc.constantFrom("now", "later", "twice", "lost", "failed"),
});

test("[N259] after any sequence of container events, late, repeated or lost with their connection, the report is that of reading everything", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(turn, { maxLength: 25 }), async (turns) => {
      const table = new ContainerTable();
      const state = new DockerState(table.source);
      const late: string[] = [];
      let isConnectionLost = false;
      const receive = (line: string) =>
        Promise.allSettled(changesOf(line).map((change) => state.refresh(change)));
      for (const { step, event } of turns) {
        const line = table.apply(step);
        if (line === null) continue;
        table.isAway = event === "failed";
        if (event === "later") late.push(line);
        else if (event === "lost") isConnectionLost = true;
        else await receive(line);
        if (event === "twice") await receive(line);
        table.isAway = false;
      }
      for (const line of late) await receive(line);
      // An event is lost only with its connection, and a new connection reads everything.
      if (isConnectionLost) await state.refresh({ kind: "all" });
      // After a failure any call reads everything.
      await state.refresh({ kind: "swarm" });
      const fresh = new DockerState(table.source);
      await fresh.refresh({ kind: "all" });
      expect(discover(state.facts)).toEqual(discover(fresh.facts));
    }),
    { numRuns: 300 },
  );
});
