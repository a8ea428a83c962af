// What the Docker daemon shows, kept current by its events. An event is only a reason to look again at what it
// names, so that lost, late and repeated events leave the same state as reading everything.

import type { ContainerFacts, DockerFacts, SwarmFacts } from "./describe.ts";

/** Reads of the daemon. Each rejects if it does not respond. */
export type DockerSource = {
  readonly containerIds: () => Promise<readonly string[]>;
  /** Null: there is no such container. */
  readonly container: (id: string) => Promise<ContainerFacts | null>;
  /** Null: the daemon is not a manager of a Swarm. */
  readonly swarm: () => Promise<SwarmFacts | null>;
};

/** What to look at again. */
export type Change =
  | { readonly kind: "all" }
  | { readonly kind: "swarm" }
  | { readonly kind: "container"; readonly id: string };

export class DockerState {
  readonly #source: DockerSource;
  readonly #containers = new Map<string, ContainerFacts>();
  readonly #changed = new Set<string>();
  #swarm: SwarmFacts | null = null;
  #isAllChanged = false;
  #isSwarmChanged = false;
  #reading: Promise<void> | null = null;

  constructor(source: DockerSource) {
    this.#source = source;
  }

  get facts(): DockerFacts {
    return { containers: [...this.#containers.values()], swarm: this.#swarm };
  }

  /**
   * Looks again at what changed. Calls that come meanwhile are part of the same work. After a failure the next
   * call reads everything.
   *
   * @returns resolves when the state is current; rejects if the daemon does not respond
   */
  refresh(change: Change): Promise<void> {
    if (change.kind === "container") this.#changed.add(change.id);
    else if (change.kind === "swarm") this.#isSwarmChanged = true;
    else this.#isAllChanged = true;
    this.#reading ??= this.#readOrMark();
    return this.#reading;
  }

  async #readOrMark(): Promise<void> {
    try {
      await this.#read();
    } catch (error) {
      this.#isAllChanged = true;
      throw error;
    } finally {
      this.#reading = null;
    }
  }

  async #read(): Promise<void> {
    while (this.#isAllChanged || this.#isSwarmChanged || this.#changed.size > 0) {
      if (this.#isAllChanged) await this.#readAll();
      for (const id of [...this.#changed]) {
        this.#changed.delete(id);
        await this.#readContainer(id);
      }
      if (this.#isSwarmChanged) {
        this.#isSwarmChanged = false;
        this.#swarm = await this.#source.swarm();
      }
    }
  }

  async #readAll(): Promise<void> {
    this.#isAllChanged = false;
    this.#isSwarmChanged = true;
    const ids = await this.#source.containerIds();
    for (const id of this.#containers.keys()) if (!ids.includes(id)) this.#containers.delete(id);
    for (const id of ids) this.#changed.add(id);
  }

  async #readContainer(id: string): Promise<void> {
    const facts = await this.#source.container(id);
    if (facts === null) this.#containers.delete(id);
    else this.#containers.set(id, facts);
  }
}
