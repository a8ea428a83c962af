// Decides whether a user may perform actions on the dashboard.

import type { Identity, RequestOrigin } from "./context.ts";

export type ActionPermission =
  | { readonly isAllowed: true }
  /** `reason` is a sentence for the user, with what would help. */
  | { readonly isAllowed: false; readonly reason: string };

export function actionPermission({ role, by }: Identity, { sharesOrigin }: RequestOrigin): ActionPermission {
  if (role !== "operator") {
    const remedy =
      by === "access"
        ? "ask for your address to be added to ACCESS_OPERATORS"
        : "sign in with the operator token";
    return { isAllowed: false, reason: `Read-only. To make changes, ${remedy}.` };
  }
  // A script on a service's page would have the dashboard's origin and could submit its forms.
  if (sharesOrigin) {
    return {
      isAllowed: false,
      reason:
        "Read-only, because services share this host name and their pages could act in your name. Give the control API its own host name with CONTROL_HOST, or use the command line.",
    };
  }
  return { isAllowed: true };
}
