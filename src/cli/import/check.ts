// Checks an import by itself, by the rules that the mesh has for services and servers, so that a dry run refuses
// what the mesh would refuse.

import { isServiceName } from "../../domain/labels/label.ts";
import { checkLabels } from "../../domain/labels/labels.ts";
import { MeshError } from "../../domain/model/error.ts";
import { validateServer } from "../../domain/validate/server.ts";
import type { ImportedService } from "../../haproxy/import.ts";
import { refused } from "../errors.ts";

/** @throws CliError for a service or server that no mesh can have */
export function checkImport(imported: readonly ImportedService[]): void {
  for (const { name, line, labels, servers } of imported) {
    if (!isServiceName(name)) throw refused(`service ${name} (line ${line}): the mesh cannot have this name`);
    checkPart(`service ${name} (line ${line})`, () => checkLabels(labels));
    for (const server of servers) {
      checkPart(`server ${name}/${server.spec.name} (line ${server.line})`, () =>
        validateServer(server.spec),
      );
    }
  }
}

function checkPart(what: string, check: () => void): void {
  try {
    check();
  } catch (error) {
    if (!(error instanceof MeshError)) throw error;
    throw refused(`${what}: ${error.message}`);
  }
}
