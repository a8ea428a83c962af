// Taking a server, a task or a node out of the balancing and back, by HAProxy's words: ready, drain, maint.

import { unwrapForDocker } from "../control/errors.ts";
import { MeshError } from "../domain/model/error.ts";
import { type AdminState, adminStates } from "../domain/model/server.ts";
import type { AdminTarget } from "../registry/api.ts";
import type { ActionParams, OperatorAction } from "./actions.ts";
import { adminPath } from "./paths.ts";

const adminStateEffects: Readonly<Record<AdminState, string>> = {
  ready: "New requests are sent there again.",
  drain: "No new requests are sent there; those bound to it by a sticky cookie still are.",
  maint: "No requests are sent there at all.",
};

/**
 * A change of admin state.
 *
 * @param name of the target, for people
 * @param back path of the page that shows the target
 * @throws MeshError admin/invalid
 */
export function adminAction(
  target: AdminTarget,
  name: string,
  back: string,
  asked: ActionParams,
): OperatorAction {
  const to = readAdminState(asked.to ?? "");
  const unchecked = target.kind === "server" && to === "maint" ? ["It is not checked meanwhile."] : [];
  const runs = target.kind === "server" ? [] : ["What runs there goes on running."];
  return {
    confirmation: {
      title: `Set ${name} to ${to}?`,
      effects: [adminStateEffects[to], ...unchecked, ...(to === "ready" ? [] : runs)],
      verb: `Set to ${to}`,
      action: adminPath(target),
      back,
      fields: { to },
      isDestructive: to === "maint",
    },
    run: async (mesh, actor) => unwrapForDocker(await mesh.setAdmin(target, to, actor)),
  };
}

/** The states that it may be set to from the present one. */
export function otherAdminStates(present: AdminState): readonly AdminState[] {
  return adminStates.filter((state) => state !== present);
}

function readAdminState(text: string): AdminState {
  const known = adminStates.find((state) => state === text);
  if (known !== undefined) return known;
  const message = `cannot read "${text}" as a state of the balancer: ready, drain or maint`;
  throw new MeshError("admin/invalid", message, { blame: "operator", retry: "never" });
}
