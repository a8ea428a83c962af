// PostgreSQL as a task: the command of its image for the process runtime.

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** Debian keeps the programs of a version in a folder of its own. */
const bin = debianFolder();

/** The programs that a test with PostgreSQL needs. */
export const postgresPrograms: readonly string[] = [
  ...(bin === "" ? ["postgres", "initdb"] : []),
  "psql",
  "setpriv",
];

/**
 * A database without a password for the user `app`.
 *
 * @param folder for its data; any user may write there, because PostgreSQL does not run as root
 */
export function postgresCommand(folder: string): readonly string[] {
  const as = process.getuid?.() === 0 ? "setpriv --reuid=postgres --regid=postgres --clear-groups" : "";
  const init = `${as} ${bin}initdb -D $data -U app -A trust > /dev/null`;
  const run = `exec ${as} ${bin}postgres -D $data -h $HOST -p $PORT -c unix_socket_directories=`;
  return ["sh", "-c", `data=$(${as} mktemp -d -p ${folder}) && ${init} && ${run}`];
}

function debianFolder(): string {
  const versions = "/usr/lib/postgresql";
  const [version] = existsSync(versions) ? readdirSync(versions).toSorted().toReversed() : [];
  return version === undefined ? "" : `${join(versions, version, "bin")}/`;
}
