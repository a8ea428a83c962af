// The files of a container that have the data of secrets and configs.

import type { DependencyRef } from "../../domain/model/dependency.ts";
import type { EngineContainer, EngineFileTarget } from "./container-schema.ts";
import { invalidBody } from "./read.ts";

/** A file, and whose it is as Docker's clients write it. */
export type DependencyFile = DependencyRef & {
  /** A path below `/run/secrets` (secrets) or `/` (configs), or an absolute one; without `..`. */
  readonly target: string;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
};

const defaultMode = 0o444;

/**
 * The files of all references. Refuses in SwarmKit's words.
 *
 * @throws MeshError body/invalid for a reference without id, name or file, and for two files at one path
 */
export function dependencyFiles({ Secrets, Configs }: EngineContainer): readonly DependencyFile[] {
  const secrets = (Secrets ?? []).map(({ SecretID, SecretName, File }) =>
    readFile({ kind: "secret", id: SecretID ?? "", name: SecretName ?? "" }, File),
  );
  const configs = (Configs ?? []).map(({ ConfigID, ConfigName, File, Runtime }) => {
    if (Runtime) throw invalidBody("a config as credential spec is not supported: give it a file as target");
    return readFile({ kind: "config", id: ConfigID ?? "", name: ConfigName ?? "" }, File);
  });
  checkTargets(secrets);
  checkTargets(configs);
  return [...secrets, ...configs];
}

function readFile(ref: DependencyRef, file: EngineFileTarget | null | undefined): DependencyFile {
  const { kind, id, name } = ref;
  if (id === "" || name === "") throw invalidBody(`malformed ${kind} reference`);
  if (!file) throw invalidBody(`malformed ${kind} reference, no target provided`);
  const target = file.Name ?? "";
  if (!isFilePath(target))
    throw invalidBody(`malformed file ${kind} reference, invalid target file name provided`);
  return {
    ...ref,
    target,
    uid: readId(ref, "UID", file.UID),
    gid: readId(ref, "GID", file.GID),
    mode: file.Mode ?? defaultMode,
  };
}

/** True for a path with a file name at its end, which leads nowhere above its start. */
function isFilePath(path: string): boolean {
  const parts = path.split("/");
  return path.length <= 4_096 && !["", "."].includes(parts.at(-1) ?? "") && !parts.includes("..");
}

function readId(
  { kind, name }: DependencyRef,
  field: "UID" | "GID",
  value: string | null | undefined,
): number {
  const text = value || "0";
  if (/^\d{1,10}$/.test(text) && Number(text) < 2 ** 32 - 1) return Number(text);
  throw invalidBody(
    `malformed file ${kind} reference, ${field} of ${name} is not a number: names of users are not known outside of the image`,
  );
}

function checkTargets(files: readonly DependencyFile[]): void {
  const nameAt = new Map<string, string>();
  for (const { kind, name, target } of files) {
    const before = nameAt.get(target);
    if (before !== undefined)
      throw invalidBody(
        `${kind} references '${before}' and '${name}' have a conflicting target: '${target}'`,
      );
    nameAt.set(target, name);
  }
}
