// Links that take a server, task or node out of the balancing, each to its page of confirmation.

import type { AdminState } from "../../domain/model/server.ts";
import type { AdminTarget } from "../../registry/api.ts";
import { otherAdminStates } from "../admin-action.ts";
import { adminPath } from "../paths.ts";

/** @param name what it is called, for who hears the page */
export function AdminStateLinks({
  target,
  name,
  current,
}: {
  target: AdminTarget;
  name: string;
  current: AdminState;
}) {
  return (
    <span class="admin-links">
      {otherAdminStates(current).map((to) => (
        <a href={`${adminPath(target)}?to=${to}`} aria-label={`Set ${name} to ${to}`}>
          {to}…
        </a>
      ))}
    </span>
  );
}
