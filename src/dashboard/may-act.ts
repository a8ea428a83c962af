// Whether whoever looks may also act, and if not, why not and what would help.

import type { Door, Identity } from "./context.ts";

export type MayAct = { readonly may: true } | { readonly may: false; readonly why: string };

export function mayAct({ role, by }: Identity, { sharesOrigin }: Door): MayAct {
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
