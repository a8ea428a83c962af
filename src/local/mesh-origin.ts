// Whether a mesh that starts is new, the one of the last start, or one whose database was lost.

import { join } from "node:path";
import { TaskRecords } from "../agent/task-records.ts";
import { databaseFolder, namesIn, nodesFolder, readMeshFile } from "./state-folder.ts";

export type MeshOrigin =
  /** This state folder had no mesh before. */
  | { readonly kind: "new" }
  /** The registry's database is the one of the last start. */
  | { readonly kind: "restored" }
  /** The folder had a mesh, and its database is gone or another one. */
  | { readonly kind: "lost"; readonly database: string; readonly left: LeftBehind };

/** What a lost mesh has left in the state folder. */
type LeftBehind = { readonly nodes: readonly string[]; readonly services: readonly string[] };

/** What the state folder has before a start. */
export type EarlierMesh = {
  /** The folder of the registry's database. */
  readonly database: string;
  readonly hasMeshFile: boolean;
  /** The id in mesh.json; null if the file has no id. */
  readonly id: string | null;
  readonly hasDatabase: boolean;
  readonly left: LeftBehind;
};

/**
 * Reads the state folder before the runtime starts, which creates a missing database.
 *
 * @returns a function that decides the origin, once the id of the mesh in the database is known
 */
export function readOrigin(stateDir: string): (id: string) => MeshOrigin {
  const file = readMeshFile(stateDir);
  const database = databaseFolder(stateDir);
  const earlier = {
    database,
    hasMeshFile: file !== null,
    id: file?.id ?? null,
    hasDatabase: namesIn(database).length > 0,
    left: leftBehind(nodesFolder(stateDir)),
  };
  return (id) => meshOrigin(earlier, id);
}

/** Decides the origin. @param id of the mesh in the database that the registry has opened */
export function meshOrigin(
  { database, hasMeshFile, id: earlierId, hasDatabase, left }: EarlierMesh,
  id: string,
): MeshOrigin {
  const isSame = earlierId === null ? hasDatabase : earlierId === id;
  if (isSame) return { kind: "restored" };
  return hasMeshFile || left.nodes.length > 0 ? { kind: "lost", database, left } : { kind: "new" };
}

function leftBehind(nodesDir: string): LeftBehind {
  const nodes = namesIn(nodesDir);
  const records = nodes.flatMap((node) => new TaskRecords(join(nodesDir, node)).all(() => undefined));
  return { nodes, services: [...new Set(records.map(({ task }) => task.service.name))].sort() };
}
