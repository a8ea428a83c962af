// What can be used once: ids that were, each kept as long as it could be tried again.

import type { RegistryStore } from "./store.ts";

/** Notes that `id` was used; false when it had been already. */
export function redeem(
  store: Pick<RegistryStore, "meta" | "setMeta">,
  id: string,
  untilMs: number,
  nowMs: number,
): boolean {
  const kept = JSON.parse(store.meta("spentIds") ?? "{}") as Record<string, number>;
  const spent = Object.entries(kept).filter(([, endsMs]) => endsMs > nowMs);
  if (spent.some(([known]) => known === id)) return false;
  store.setMeta("spentIds", JSON.stringify(Object.fromEntries([...spent, [id, untilMs]])));
  return true;
}
