// Reads and writes one service over the Engine API.

import { printable } from "../../domain/model/printable.ts";
import type { Cli } from "../cli.ts";
import type { MeshClient } from "../client.ts";
import type { EngineChangeResponse, EngineService, EngineSpec } from "../engine.ts";
import { engineChange, engineService } from "../shapes.ts";

/** The service of a name or id. Its spec is as stored unless the mesh inserts defaults. */
export function readService(
  mesh: MeshClient,
  ref: string,
  { insertDefaults = false } = {},
): Promise<EngineService> {
  return mesh.get(`/services/${encodeURIComponent(ref)}`, engineService, { insertDefaults });
}

/** Writes an edited spec back. The mesh refuses it if the service has changed since it was read. */
export function writeSpec(
  mesh: MeshClient,
  service: EngineService,
  spec: EngineSpec,
  isRollback = false,
): Promise<EngineChangeResponse | null> {
  return mesh.post(`/services/${service.ID}/update`, spec, engineChange, {
    version: service.Version.Index,
    ...(isRollback && { rollback: "previous" }),
  });
}

/** Prints the warnings of a create or update on standard error. */
export function printWarnings(cli: Cli, response: EngineChangeResponse | null): void {
  for (const warning of response?.Warnings ?? []) cli.err.write(`warning: ${printable(warning)}\n`);
}
