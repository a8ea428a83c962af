// The pane with the output of tasks. The script of the page fills and follows it.

export function LogPane({ path, refusal }: { path: string; refusal: string | null }) {
  return (
    <section class="logs" aria-labelledby="logs-title">
      <h2 id="logs-title">Logs</h2>
      {refusal === null ? (
        <>
          <div
            class="log-lines"
            data-logs={`${path}/logs`}
            role="log"
            aria-live="off"
            aria-labelledby="logs-title"
            tabindex={0}
          />
          <p class="muted" data-logs-state role="status">
            Logs need JavaScript; waggle logs prints them as well.
          </p>
        </>
      ) : (
        <p class="muted">{refusal}</p>
      )}
    </section>
  );
}
