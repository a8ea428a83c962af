// A page that only says something: what went wrong and what to do.

export function Message({ title, text, back }: { title: string; text: string; back?: string | undefined }) {
  return (
    <section class="message">
      <h1>{title}</h1>
      <p>{text}</p>
      {back !== undefined && (
        <p>
          <a class="button" href={back}>
            Back
          </a>
        </p>
      )}
    </section>
  );
}
