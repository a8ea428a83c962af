// Applies an import to the mesh: checks everything first, then changes services and servers step by step. If a
// step fails, the steps before it are taken back.

import type { ImportedService } from "../../haproxy/import.ts";
import type { MeshClient } from "../client.ts";
import type { EngineService } from "../engine.ts";
import { CliError, refused } from "../errors.ts";
import { staticImage } from "../service/static-spec.ts";
import { engineService, listOf, serverStatus } from "../shapes.ts";
import { hostsIn, type ImportStep, planImport } from "./plan.ts";

/**
 * Makes the mesh match the file. Idempotent.
 *
 * @param onStep called after each step
 * @throws CliError before any change, if a name, port or host name belongs to another service; else with what
 *   was done and what was taken back
 */
export async function applyImport(
  mesh: MeshClient,
  imported: readonly ImportedService[],
  onStep: (step: string) => void,
): Promise<void> {
  const services = await mesh.get("/services", listOf(engineService));
  const servers = await mesh.getNative("/servers", listOf(serverStatus));
  checkNames(imported, services);
  checkPorts(imported, services);
  checkHosts(imported, services);
  const done: ImportStep[] = [];
  for (const step of planImport(mesh, imported, { services, servers })) {
    try {
      await step.run();
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      throw await takeBack(done, step, error, onStep);
    }
    done.push(step);
    onStep(step.text);
  }
}

/** Takes back all steps, the last one first. @returns the error with what is left of them */
async function takeBack(
  done: readonly ImportStep[],
  failed: ImportStep,
  cause: CliError,
  onStep: (step: string) => void,
): Promise<CliError> {
  const left: string[] = [];
  for (const step of done.toReversed()) {
    try {
      await step.undo();
      onStep(`undone: ${step.text}`);
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      left.push(step.text);
    }
  }
  const what = `${cause.message} (step that failed: "${failed.text}")`;
  if (left.length === 0) {
    const hint = "fix the cause and run it again";
    return new CliError(cause.exitCode, `${what}; the mesh is as it was before`, hint, cause);
  }
  const hint = "fix the cause and run it again: completed steps are skipped; or take them back by hand";
  return new CliError(cause.exitCode, `${what}; could not take back: ${left.join(", ")}`, hint, cause);
}

function checkNames(imported: readonly ImportedService[], services: readonly EngineService[]): void {
  for (const { name, line } of imported) {
    const image = imageOf(services.find(({ Spec }) => Spec.Name === name));
    if (image === null || image === staticImage) continue;
    throw refused(
      `service ${name} (line ${line}) already exists and runs ${image}`,
      "rename the backend, or remove the service",
    );
  }
}

function checkPorts(imported: readonly ImportedService[], services: readonly EngineService[]): void {
  const holders = new Map<number, string>();
  const names = new Set(imported.map(({ name }) => name));
  for (const { Spec, Endpoint } of services) {
    if (names.has(Spec.Name)) continue;
    for (const { PublishedPort } of Endpoint?.Ports ?? []) holders.set(PublishedPort ?? 0, Spec.Name);
  }
  for (const { name, line, ports } of imported) {
    for (const port of ports) {
      const holder = holders.get(port);
      if (holder !== undefined) {
        throw refused(`port ${port} of ${name} (line ${line}) is already in use by service ${holder}`);
      }
      holders.set(port, name);
    }
  }
}

function checkHosts(imported: readonly ImportedService[], services: readonly EngineService[]): void {
  const names = new Set(imported.map(({ name }) => name));
  for (const { Spec } of services) {
    if (names.has(Spec.Name)) continue;
    for (const { name, line, labels } of imported) {
      const host = hostsIn(labels).find((name) => hostsIn(Spec.Labels).includes(name));
      if (host === undefined) continue;
      throw refused(`host name ${host} of ${name} (line ${line}) already belongs to service ${Spec.Name}`);
    }
  }
}

function imageOf(service: EngineService | undefined): string | null {
  return service?.Spec.TaskTemplate.ContainerSpec.Image ?? null;
}
