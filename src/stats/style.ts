// The page's style: dense tables, dark mode, small screens. Text has a contrast of at least 4.5:1 everywhere,
// and color only repeats what the words say.

export const style = `
:root {
  color-scheme: light dark;
  --ground: #f6f6f3; --surface: #fff; --line: #d9d9d2; --strong: #6b6b64; --text: #1c1d1f; --muted: #5c5e63;
  --link: #1f5fa8; --head: #e9e9e3; --total: #efefe9;
  --up: #d3eeda; --backup: #d5e6fa; --falling: #fdf0b8; --rising: #ffdf9e; --down: #fbcfc9; --unchecked: #e8e8e4;
  --maint: #e6c9a8; --drain: #c9d3fa; --failed: #b3261e;
  font: 13px/1.4 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #141518; --surface: #1c1e22; --line: #3a3d44; --strong: #8b8f98; --text: #eceded; --muted: #a5a8af;
    --link: #83b9f5; --head: #272a30; --total: #22252a;
    --up: #173a25; --backup: #16334f; --falling: #4a4210; --rising: #573c08; --down: #5a211c; --unchecked: #303236;
    --maint: #4d3517; --drain: #2a3263; --failed: #ff8a7d;
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 12px 16px 32px; max-width: 2200px; background: var(--ground); color: var(--text);
  font-variant-numeric: tabular-nums; -webkit-text-size-adjust: 100%; }
h1 { font-size: 20px; margin: 4px 0 12px; overflow-wrap: anywhere; }
h2 { font-size: 14px; margin: 0 0 6px; }
a { color: var(--link); }
a:focus-visible, button:focus-visible, input:focus-visible, select:focus-visible, .scroll:focus-visible {
  outline: 2px solid var(--link); outline-offset: 1px; }
.top { display: flex; flex-wrap: wrap; gap: 16px 48px; }
dl, ul { margin: 0; padding: 0; list-style: none; }
dl div { display: flex; gap: 8px; }
dt { color: var(--muted); min-width: 88px; }
dd { margin: 0; overflow-wrap: anywhere; }
.legend { display: grid; grid-template-columns: repeat(2, max-content); gap: 2px 20px; }
.swatch { display: inline-block; width: 24px; height: 12px; border: 1px solid var(--strong); vertical-align: -1px; }
.note { margin: 6px 0 0; color: var(--muted); }
.links li { padding: 1px 0; }
.scope { margin-bottom: 4px; }
.outcome { padding: 8px 12px; border-left: 4px solid var(--link); background: var(--surface); margin: 0 0 12px; }
.failed { border-color: var(--failed); }
.proxy { margin-top: 24px; }
.proxy h2 { font-size: 15px; overflow-wrap: anywhere; }
.proxy h2 a { color: inherit; text-decoration: none; }
.proxy h2 a:hover { text-decoration: underline; }
.proxy small { color: var(--muted); font-weight: normal; font-size: 13px; }
.scroll { overflow-x: auto; border: 1px solid var(--line); background: var(--surface); max-width: 100%; }
table { border-collapse: separate; border-spacing: 0; width: 100%; font-size: 12px; }
th, td { padding: 2px 5px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line);
  font-weight: normal; }
thead th { background: var(--head); text-align: center; }
thead tr:first-child th { font-weight: 600; }
.first { border-left: 1px solid var(--line); }
.word { text-align: left; }
.more { text-decoration: underline dotted; text-underline-offset: 3px; }
.name { position: sticky; left: 0; text-align: left; background: var(--surface); max-width: 40vw; overflow: hidden;
  text-overflow: ellipsis; }
thead .name { background: var(--head); }
tbody tr:last-child > * { border-bottom: 0; }
.frontend > *, .backend > * { font-weight: 600; }
.frontend > * { background: var(--total); }
.active-up, .active-up > * { background: var(--up); }
.backup-up, .backup-up > * { background: var(--backup); }
.going-down, .going-down > * { background: var(--falling); }
.going-up, .going-up > * { background: var(--rising); }
.down, .down > * { background: var(--down); }
.no-check, .no-check > * { background: var(--unchecked); }
.maint, .maint > * { background: var(--maint); }
.drain, .drain > * { background: var(--drain); }
.actions { display: flex; flex-wrap: wrap; gap: 8px 16px; align-items: center; padding: 8px 0; }
.change { margin: 6px 0 0; }
.none { margin-top: 24px; }
input, select, button { font: inherit; color: inherit; background: var(--surface); border: 1px solid var(--strong);
  border-radius: 4px; padding: 3px 6px; }
button { cursor: pointer; }
label { white-space: nowrap; }
@media (max-width: 600px) {
  body { padding: 8px 8px 24px; }
  .legend { grid-template-columns: 1fr; }
  .name { max-width: 34vw; }
}
`;
