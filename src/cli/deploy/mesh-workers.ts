// The Workers of a mesh on Cloudflare: one with all of it, or one for each part, which are released apart.

/** `split`: a Worker for each part. `single`: one Worker with all of them. */
export const deployForms = ["split", "single"] as const;
export type DeployForm = (typeof deployForms)[number];

/** The secrets that deploy makes. */
export type SecretName = "OPERATOR_TOKEN" | "VIEWER_TOKEN";

/** Each Worker needs both: to authenticate clients, and to recognize tokens in requests to tasks. */
export const secretNames: readonly SecretName[] = ["OPERATOR_TOKEN", "VIEWER_TOKEN"];

/** What a Worker of a mesh has. `mesh`: all of it. */
export type WorkerRole = "mesh" | "objects" | "control" | "edge" | "ingress";

export type MeshWorker = {
  readonly role: WorkerRole;
  readonly name: string;
  /** Its configuration of wrangler and its main module, from the folder of the repository. */
  readonly config: string;
  readonly main: string;
  /** True if clients call it, so that it has a host name at workers.dev in a mesh without a zone. */
  readonly isPublic: boolean;
};

/** The part of the settings that names Workers. */
type NamedMesh = { readonly form: DeployForm; readonly name: string; readonly zone: string | null };

/**
 * In the order of a deployment: the objects first, to which the others are bound. Without a zone no host name leads
 * to the entry point of a node, so that there is no Worker for them.
 */
export function meshWorkers({ form, name, zone }: NamedMesh): readonly MeshWorker[] {
  if (form === "single")
    return [{ role: "mesh", name, config: "wrangler.toml", main: "workers/main.ts", isPublic: true }];
  return [
    splitWorker(name, "objects", "workers/split-objects.ts"),
    splitWorker(name, "control", "workers/control.ts"),
    splitWorker(name, "edge", "workers/edge.ts"),
    ...(zone === null ? [] : [splitWorker(name, "ingress", "workers/ingress.ts")]),
  ];
}

function splitWorker(meshName: string, role: WorkerRole, main: string): MeshWorker {
  const config = `infra/split/${role}.toml`;
  return { role, name: `${meshName}-${role}`, config, main, isPublic: role !== "objects" };
}

/** True if a Worker of the mesh has a host name at workers.dev. Preview URLs would be further ways in. */
export function isAtWorkersDev({ isPublic }: MeshWorker, { zone }: Pick<NamedMesh, "zone">): boolean {
  return zone === null && isPublic;
}

/** The name of the Worker that serves a role: in a mesh of one Worker, that one. */
export function workerName(
  { form, name }: Pick<NamedMesh, "form" | "name">,
  role: Exclude<WorkerRole, "mesh">,
): string {
  return form === "single" ? name : `${name}-${role}`;
}
