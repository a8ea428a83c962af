// Links to the confirmation pages that change the admin state of a server, task or node.

import type { AdminState } from "../../domain/model/server.ts";
import type { AdminTarget } from "../../registry/api.ts";
import { otherAdminStates } from "../admin-action.ts";
import { adminPath } from "../paths.ts";

/** @param name of the target, for screen readers */
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
      {otherAdminStates(current).map((state) => (
        <a href={`${adminPath(target)}?to=${state}`} aria-label={`Set ${name} to ${state}`}>
          {state}…
        </a>
      ))}
    </span>
  );
}
