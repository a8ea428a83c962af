// The Workers that run on a machine, by the file in which each begins.

/** The Worker of a mesh on this machine. */
export const meshEntry = "workers/main.ts";

/** The Worker of a machine, see workers/node-plane.ts. */
export const nodePlaneEntry = "workers/node-plane.ts";

/** The Worker of a mesh under the platform's rules, and the program of one isolate of its data plane. */
export const platformMeshEntry = "workers/platform/mesh.ts";
export const platformIsolateEntry = "workers/platform/isolate.ts";
