// What a backup has, by name and number and without any value: read from its parts.

import { z } from "zod";
import { type BackupRows, contentsText, type MeshContents } from "../../protocol/backup.ts";
import { parseJson } from "../json.ts";

/** A service with credentials, or whose previous spec has them, that the registry could not open. */
const SealedService = z.union([
  z.object({ sealedAuth: z.string() }),
  z.object({ previous: z.object({ sealedAuth: z.string() }) }),
]);
const NamedSpec = z.object({ spec: z.object({ name: z.string() }) });

export class BackupSummary {
  readonly #names = {
    services: [] as string[],
    nodes: [] as string[],
    servers: [] as string[],
    networks: [] as string[],
    secrets: [] as string[],
    configs: [] as string[],
  };
  /** By id, the kind and name of secrets and configs. */
  readonly #dependencies = new Map<string, string>();
  readonly #unreadable: string[] = [];
  tasks = 0;
  events = 0;

  add({ table, columns, rows }: BackupRows): void {
    const column = (name: string) => {
      const at = columns.indexOf(name);
      return rows.map((row) => row[at] ?? null);
    };
    const bodies = () => column("body").map((body) => parseJson(String(body)));
    switch (table) {
      case "services":
        this.#names.services.push(...column("name").map(String));
        for (const [at, body] of bodies().entries())
          if (SealedService.safeParse(body).success)
            this.#unreadable.push(`the registry credentials of the service ${column("name")[at]}`);
        break;
      case "nodes":
        this.#names.nodes.push(...column("hostname").map(String));
        break;
      case "servers":
        this.#names.servers.push(...bodies().map((body) => NamedSpec.safeParse(body).data?.spec.name ?? ""));
        break;
      case "networks":
        this.#names.networks.push(
          ...column("name")
            .map(String)
            .filter((name) => name !== "ingress"),
        );
        break;
      case "dependencies":
        for (const [at, id] of column("id").entries()) {
          const [kind, name] = [String(column("kind")[at]), String(column("name")[at])];
          this.#dependencies.set(String(id), `the ${kind} ${name}`);
          this.#names[kind === "secret" ? "secrets" : "configs"].push(name);
        }
        break;
      case "dependency_data":
        for (const [at, data] of column("data").entries())
          if (data === null) this.#unreadable.push(this.#dependencies.get(String(column("id")[at])) ?? "");
        break;
      case "tasks":
        this.tasks += rows.length;
        break;
      case "event_log":
        this.events += rows.length;
    }
  }

  get contents(): MeshContents {
    const sorted = Object.entries(this.#names).map(([kind, names]) => [kind, names.toSorted()]);
    return Object.fromEntries(sorted) as MeshContents;
  }

  /** What was sealed under an operator token that the mesh no longer has, and cannot be opened any more. */
  get unreadable(): readonly string[] {
    return this.#unreadable;
  }

  /** `2 services (db, web) and 1 node (node1); 3 tasks, 12 events`. */
  get text(): string {
    const counts = `${counted(this.tasks, "task")}, ${counted(this.events, "event")}`;
    return `${contentsText(this.contents) || "an empty mesh"}; ${counts}`;
  }
}

/** What to do about values that nothing opens; null if there are no such values. */
export function unreadableText(unreadable: readonly string[]): string | null {
  if (unreadable.length === 0) return null;
  return `${unreadable.join(", ")}: stored under an earlier operator token, which nothing opens any more; create them again`;
}

/** Bytes for people, in binary units: `12.5 KiB`. */
export function sizeText(bytes: number): string {
  if (bytes < 1_024) return `${bytes} bytes`;
  const [size, unit] = bytes < 1_048_576 ? [bytes / 1_024, "KiB"] : [bytes / 1_048_576, "MiB"];
  return `${size.toFixed(1)} ${unit}`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
