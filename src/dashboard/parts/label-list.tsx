// The labels of a service or node.

export function LabelList({ labels }: { labels: Readonly<Record<string, string>> }) {
  const entries = Object.entries(labels);
  if (entries.length === 0) return null;
  return (
    <section aria-labelledby="labels-title" id="labels" data-part>
      <h2 id="labels-title">Labels</h2>
      <dl class="labels">
        {entries.map(([key, value]) => (
          <div>
            <dt>{key}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
