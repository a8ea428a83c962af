// The action that sets the admin state of a server, task or node, in HAProxy's words: ready, drain, maint.

import { unwrapForDocker } from "../control/errors.ts";
import { MeshError } from "../domain/model/error.ts";
import { type AdminState, adminStates } from "../domain/model/server.ts";
import type { AdminTarget } from "../registry/api.ts";
import type { ActionParams, OperatorAction } from "./actions.ts";
import { adminPath } from "./paths.ts";

const adminStateEffects: Readonly<Record<AdminState, string>> = {
  ready: "It receives new requests again.",
  drain: "It receives no new requests, except from clients bound to it by a sticky cookie.",
  maint: "It receives no requests at all.",
};

/**
 * @param name of the target, for the page
 * @param back path of the page that shows the target
 * @throws MeshError admin/invalid
 */
export function adminAction(
  target: AdminTarget,
  name: string,
  back: string,
  params: ActionParams,
): OperatorAction {
  const state = readAdminState(params.to ?? "");
  const checkEffect = target.kind === "server" && state === "maint" ? ["Its health checks stop."] : [];
  const taskEffect = target.kind === "server" || state === "ready" ? [] : ["Running tasks keep running."];
  return {
    confirmation: {
      title: `Set ${name} to ${state}?`,
      effects: [adminStateEffects[state], ...checkEffect, ...taskEffect],
      verb: `Set to ${state}`,
      action: adminPath(target),
      back,
      fields: { to: state },
      isDestructive: state === "maint",
    },
    run: async (mesh, actor) => unwrapForDocker(await mesh.setAdmin(target, state, actor)),
  };
}

export function otherAdminStates(current: AdminState): readonly AdminState[] {
  return adminStates.filter((state) => state !== current);
}

function readAdminState(text: string): AdminState {
  const known = adminStates.find((state) => state === text);
  if (known !== undefined) return known;
  const message = `cannot read "${text}" as an admin state: use ready, drain or maint`;
  throw new MeshError("admin/invalid", message, { blame: "operator", retry: "never" });
}
