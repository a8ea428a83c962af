// Whether whoever looks may also act, and if not, why not and what would help.

import type { Identity, RequestOrigin } from "./context.ts";

export type ActionPermission = { readonly may: true } | { readonly may: false; readonly why: string };

export function actionPermission({ role, by }: Identity, { sharesOrigin }: RequestOrigin): ActionPermission {
  if (role !== "operator") {
    const help =
      by === "access" ? "have your address added to ACCESS_OPERATORS" : "sign in with the operator's token";
    return { may: false, why: `Read-only: to act, ${help}.` };
  }
  // A script on a service's page would have the same origin, and with it all that a form of ours can do.
  if (sharesOrigin) {
    return {
      may: false,
      why: "Read-only: services answer under this host name too, and their pages could act in your name. Give control a host name of its own with CONTROL_HOST, or use the command line.",
    };
  }
  return { may: true };
}
