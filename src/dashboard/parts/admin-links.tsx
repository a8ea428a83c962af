// Links that take a server, task or node out of the balancing, each to its page of confirmation.

import type { AdminState } from "../../domain/model/server.ts";
import { otherAdminStates } from "../admin-action.ts";

/** @param name what it is called, for who hears the page */
export function AdminStateLinks({
  name,
  present,
  path,
}: {
  name: string;
  present: AdminState;
  path: string;
}) {
  return (
    <span class="admin-links">
      {otherAdminStates(present).map((to) => (
        <a href={`${path}?to=${to}`} aria-label={`Set ${name} to ${to}`}>
          {to}…
        </a>
      ))}
    </span>
  );
}
