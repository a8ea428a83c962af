// Executes the steps of a plan. Each may be repeated: what exists already as wanted is no failure.

import { z } from "zod";
import { type FoundParts, listRecords, listRoutes } from "./account.ts";
import { ApiError, type CloudflareApi, isNotFound } from "./cloudflare-api.ts";
import type { DestroyStep } from "./destroy-plan.ts";
import type { DeployStep } from "./plan.ts";
import type { DeploySettings } from "./settings.ts";
import { isRouteRecord, originlessAddress, recordMark } from "./zone-parts.ts";

type Deployment = {
  readonly api: CloudflareApi;
  readonly settings: DeploySettings;
  readonly found: FoundParts;
};

const Created = z.object({ id: z.string() });

/** Creates a route or a record, or switches a host name at workers.dev. */
export async function applyNameStep(
  deployment: Deployment,
  step: Exclude<DeployStep, { kind: "upload" }>,
): Promise<void> {
  if (step.kind === "workers-dev") return await switchWorkersDev(deployment, step);
  await createName(deployment, step);
}

async function switchWorkersDev(
  { api, settings: { account } }: Deployment,
  { worker, isOn }: DeployStep & { kind: "workers-dev" },
): Promise<void> {
  await api.post({
    path: `/accounts/${account}/workers/scripts/${worker.name}/subdomain`,
    body: { enabled: isOn, previews_enabled: false },
    result: z.unknown(),
    permission: "workers",
  });
}

type CreateStep = DeployStep & { kind: "route" | "record" };

async function createName(deployment: Deployment, step: CreateStep): Promise<void> {
  const { api, settings } = deployment;
  const zoneId = zoneIdOf(deployment);
  try {
    if (step.kind === "route")
      await api.post({
        path: `/zones/${zoneId}/workers/routes`,
        body: { pattern: step.pattern, ...(step.worker !== null && { script: step.worker }) },
        result: Created,
        permission: "routes",
      });
    else
      await api.post({
        path: `/zones/${zoneId}/dns_records`,
        body: {
          type: "AAAA",
          name: step.name,
          content: originlessAddress,
          proxied: true,
          // Automatic, which proxied records have.
          ttl: 1,
          comment: recordMark(settings),
        },
        result: Created,
        permission: "records",
      });
  } catch (error) {
    // A request whose answer was lost has done its work.
    if (error instanceof ApiError && (await exists(deployment, step))) return;
    throw error;
  }
}

async function exists(deployment: Deployment, step: CreateStep): Promise<boolean> {
  const { api } = deployment;
  const zoneId = zoneIdOf(deployment);
  if (step.kind === "record")
    return (await listRecords(api, zoneId)).some(
      (record) => record.name === step.name && isRouteRecord(record),
    );
  return (await listRoutes(api, zoneId)).some(
    ({ pattern, script }) => pattern === step.pattern && (script || null) === step.worker,
  );
}

/** Deletes a part; one that does not exist any more is deleted. */
export async function applyDestroyStep(deployment: Deployment, step: DestroyStep): Promise<void> {
  const { api, settings } = deployment;
  try {
    if (step.kind === "delete-worker")
      await api.delete({
        // With Durable Objects of its own, which go with it.
        path: `/accounts/${settings.account}/workers/scripts/${step.worker.name}`,
        query: { force: "true" },
        result: z.unknown(),
        permission: "workers",
      });
    else {
      const isRecord = step.kind === "delete-record";
      await api.delete({
        path: `/zones/${zoneIdOf(deployment)}/${isRecord ? "dns_records" : "workers/routes"}/${step.id}`,
        result: z.unknown(),
        permission: isRecord ? "records" : "routes",
      });
    }
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

function zoneIdOf({ found: { zone } }: Deployment): string {
  if (zone === null) throw new Error("a step in a zone needs one");
  return zone.id;
}
