// HAProxy's rule without `option allbackups`: only the first available backup of a service gets requests.

import type { Share, TableService } from "../table/table.ts";

/**
 * Marks every backup except the first available one as standby. Tasks come first, by slot, then servers.
 *
 * @param servers the service's servers, in the order in which they take over
 */
export function withFirstBackupOnly(
  service: TableService,
  servers: readonly { readonly id: string }[],
): TableService {
  const serverById = new Map(service.servers?.map((server) => [server.id, server]));
  const inOrder: readonly (Share & { readonly id: string })[] = [
    ...service.tasks.toSorted((a, b) => a.slot - b.slot),
    ...servers.flatMap(({ id }) => serverById.get(id) ?? []),
  ];
  const first = inOrder.find(({ backup, drain, weight }) => backup === true && drain !== true && weight > 0);
  if (first === undefined) return service;
  const withStandby = <T extends Share & { readonly id: string }>(target: T): T =>
    target.backup === true && target.id !== first.id ? { ...target, standby: true } : target;
  return {
    ...service,
    ...(service.servers !== undefined && { servers: service.servers.map(withStandby) }),
    tasks: service.tasks.map(withStandby),
  };
}
