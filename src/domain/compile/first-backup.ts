// One backup: of a service's backups only the first that can takes requests, as in HAProxy without `option allbackups`.

import type { Share, TableService } from "../table/table.ts";

/**
 * The service with all backups but the first on standby. Tasks come in order of their slots, servers after them.
 *
 * @param servers its servers in the order they stand in for each other
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
  const first = inOrder.find((one) => one.backup === true && one.drain !== true && one.weight > 0);
  if (first === undefined) return service;
  const rest = <T extends Share & { readonly id: string }>(one: T): T =>
    one.backup === true && one.id !== first.id ? { ...one, standby: true } : one;
  return {
    ...service,
    ...(service.servers !== undefined && { servers: service.servers.map(rest) }),
    tasks: service.tasks.map(rest),
  };
}
