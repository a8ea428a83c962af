// Sealed values in the rows of a backup: opened for it, because the new mesh has another operator's token, and
// sealed again when it is restored. A value that does not open, because the token was replaced since, stays sealed.

import type { BackupRows } from "../protocol/backup.ts";
import { dataSecret } from "./dependencies.ts";
import { openText, sealRandomLength, sealText } from "./sealed-text.ts";

type Members = Readonly<Record<string, unknown>>;

/**
 * The rows with opened values. `dependency_data` gets a column `data`, null if the data does not open; a service
 * gets `openedAuth` in place of `sealedAuth`.
 */
export function openRows(part: BackupRows, token: string): BackupRows {
  if (part.table === "dependency_data") {
    const rows = part.rows.map(([id = null, sealed = null]) => {
      const data = openText(String(sealed), dataSecret(token));
      return [id, data, data === null ? sealed : null];
    });
    return { ...part, columns: ["id", "data", "sealed"], rows };
  }
  return changeServices(part, "sealedAuth", ({ sealedAuth, ...rest }) => {
    const openedAuth = openText(String(sealedAuth), token);
    return openedAuth === null ? { ...rest, sealedAuth } : { ...rest, openedAuth };
  });
}

/**
 * The rows as a registry with this token stores them.
 *
 * @param newSecret returns so many random base-36 digits
 */
export function sealRows(part: BackupRows, token: string, newSecret: (length: number) => string): BackupRows {
  if (part.table === "dependency_data") {
    const secret = dataSecret(token);
    const rows = part.rows.map(([id = null, data = null, sealed = null]) => [
      id,
      data === null ? sealed : sealText(String(data), secret, newSecret(sealRandomLength)),
    ]);
    return { ...part, columns: ["id", "sealed"], rows };
  }
  return changeServices(part, "openedAuth", ({ openedAuth, ...rest }) => ({
    ...rest,
    sealedAuth: sealText(String(openedAuth), token, newSecret(sealRandomLength)),
  }));
}

/** Changes the services that have the member, and their previous specs that have it. */
function changeServices(part: BackupRows, member: string, change: (spec: Members) => Members): BackupRows {
  const at = part.table === "services" ? part.columns.indexOf("body") : -1;
  if (at < 0) return part;
  const changed = (spec: Members): Members => (member in spec ? change(spec) : spec);
  const rows = part.rows.map((row) => {
    if (!String(row[at]).includes(`"${member}"`)) return row;
    const service = changed(JSON.parse(String(row[at])) as Members);
    const previous = service.previous as Members | null | undefined;
    const body = previous ? { ...service, previous: changed(previous) } : service;
    return row.with(at, JSON.stringify(body));
  });
  return { ...part, rows };
}
