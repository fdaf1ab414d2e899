"""How a report looks: one column of text, light or dark as the reader's system is, figures on white, fit to print."""

CSS = """
:root {
  color-scheme: light dark;
  --page: #fcfcfb; --card: #ffffff; --ink: #1b1c1e; --soft: #5b6067; --rule: #dfe1e3; --faint: #f2f3f4;
  --link: #3a3f9e; --good: #1e6b3a; --bad: #9c2b22; --edge: #0000001f;
  --sans: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif;
  --mono: ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #17181a; --card: #1f2123; --ink: #e6e7e8; --soft: #a2a7ad; --rule: #36393d; --faint: #232528;
    --link: #aab0ff; --good: #2c7f4a; --bad: #e58b82; --edge: #00000099;
  }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0; padding: 0 1.25rem 4rem; background: var(--page); color: var(--ink);
  font: 1rem/1.55 var(--sans); overflow-wrap: break-word;
}
.frame { max-width: 60rem; margin: 0 auto; }
header { padding: 3rem 0 0.5rem; }
header p.kind { margin: 0; color: var(--soft); font-size: 0.875rem; }
h1 { margin: 0.1rem 0 0.8rem; font-size: 2.25rem; line-height: 1.15; letter-spacing: -0.02em; }
section:first-of-type h2 { margin-top: 2rem; }
h2 {
  margin: 3.5rem 0 1rem; padding-top: 1.1rem; border-top: 1px solid var(--rule); font-size: 1.5rem;
  line-height: 1.25; letter-spacing: -0.01em;
}
h3 { margin: 2rem 0 0.6rem; font-size: 1.0625rem; line-height: 1.35; }
p, ul, dl { margin: 0 0 1rem; }
.lead { max-width: 46rem; font-size: 1.0938rem; }
a { color: var(--link); text-decoration-thickness: 1px; text-underline-offset: 0.15em; }
small { color: var(--soft); font-size: 0.8125rem; line-height: 1.45; }
code, pre { font-family: var(--mono); font-size: 0.8125rem; }
ul { padding-left: 1.2rem; }
.notes, .note { color: var(--soft); font-size: 0.875rem; max-width: 48rem; }
.notes li { margin-bottom: 0.2rem; }

.tiles {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr)); gap: 0.75rem;
  margin: 1.6rem 0; padding: 0; list-style: none;
}
.tiles li { padding: 0.8rem 1rem 0.85rem; border: 1px solid var(--rule); border-radius: 8px; background: var(--card); }
.tiles b {
  display: block; font-size: 1.5rem; line-height: 1.25; font-variant-numeric: tabular-nums;
  letter-spacing: -0.01em;
}
.tiles span, .tiles small { display: block; }
.tiles span { font-size: 0.9375rem; }

nav { margin: 1.5rem 0 0; font-size: 0.9375rem; }
nav ol { margin: 0; padding: 0; list-style: none; }
nav > ol { columns: 2 17rem; column-gap: 2.5rem; }
nav > ol > li { margin-bottom: 0.35rem; }
nav ol ol { padding-left: 0.9rem; font-size: 0.875rem; }
nav a { text-decoration: none; }
nav a:hover { text-decoration: underline; }

.facts { display: grid; grid-template-columns: max-content 1fr; gap: 0.3rem 1.5rem; }
.facts dt { color: var(--soft); }
.facts dd { margin: 0; }

.scroll {
  overflow-x: auto;
  background:
    linear-gradient(to right, var(--page) 40%, transparent) left / 2.5rem 100% local no-repeat,
    linear-gradient(to left, var(--page) 40%, transparent) right / 2.5rem 100% local no-repeat,
    linear-gradient(to right, var(--edge), transparent) left / 0.75rem 100% no-repeat,
    linear-gradient(to left, var(--edge), transparent) right / 0.75rem 100% no-repeat;
}
.scroll:focus-visible, a:focus-visible, summary:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
table { border-collapse: collapse; font-size: 0.875rem; line-height: 1.4; font-variant-numeric: tabular-nums; }
th, td { padding: 0.35rem 0.9rem 0.35rem 0; text-align: left; vertical-align: top; }
thead th { border-bottom: 1.5px solid var(--ink); font-weight: 600; vertical-align: bottom; }
tbody tr + tr > *, tbody + tbody > tr:first-child > * { border-top: 1px solid var(--rule); }
tbody th { font-weight: 500; }
.factors { width: 100%; min-width: 36rem; table-layout: fixed; }
.factors th:first-child { width: 8.5rem; }
.measures { width: max-content; }
.scroll + .notes { margin-top: 0.6rem; }
.measures td, .measures tbody th { white-space: nowrap; }
.measures .number { padding-left: 0.9rem; padding-right: 0; text-align: right; }
.measures thead .number { min-width: 5.5rem; max-width: 8rem; white-space: normal; }
.measures .n { color: var(--soft); font-size: 0.75rem; }
.measures caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.measures tfoot td {
  padding-top: 0.5rem; border-top: 1.5px solid var(--ink); color: var(--soft); font-size: 0.8125rem;
}

.findings { width: 100%; }
.findings td { padding-top: 0.6rem; padding-bottom: 0.7rem; }
.findings p { margin: 0 0 0.15rem; }
.findings td:nth-child(1) { width: 11rem; }
.findings td:nth-child(2) { width: 40%; }
.findings .family th { padding-top: 1.4rem; border-top: 0; font-weight: 600; font-size: 1rem; }
.refined { display: block; margin-top: 0.3rem; }
.verdict {
  display: inline-block; padding: 0.08rem 0.55rem 0.12rem; border: 1.5px solid; border-radius: 1rem;
  font-size: 0.8125rem; font-weight: 600; white-space: nowrap;
}
.verdict.holds { background: var(--good); border-color: var(--good); color: #ffffff; }
.verdict.fails { color: var(--bad); }
.verdict.untestable { border-style: dashed; color: var(--soft); font-weight: 500; }

figure { margin: 0 0 2.75rem; }
figure .scroll { border: 1px solid var(--rule); border-radius: 8px; background: #ffffff; }
figure svg { display: block; width: 100%; min-width: 42rem; height: auto; padding: 0.6rem; }
figcaption { max-width: 48rem; margin-top: 0.6rem; color: var(--soft); font-size: 0.875rem; }
details { margin: 1rem 0; }
summary { cursor: pointer; color: var(--link); }
pre {
  margin: 0.6rem 0 0; padding: 0.9rem 1.1rem; overflow: auto; max-height: 32rem;
  border: 1px solid var(--rule); border-radius: 8px; background: var(--faint); line-height: 1.45;
}
footer {
  margin-top: 3.5rem; padding-top: 1rem; border-top: 1px solid var(--rule); color: var(--soft);
  font-size: 0.875rem;
}

@media (max-width: 44rem) {
  header { padding-top: 1.75rem; }
  h1 { font-size: 1.75rem; }
  .facts { grid-template-columns: 1fr; gap: 0; }
  .facts dd { margin-bottom: 0.5rem; }
  .findings thead { display: none; }
  .findings, .findings tbody, .findings tr, .findings td, .findings .family th {
    display: block; width: auto !important;
  }
  .findings td { padding: 0.25rem 0; border: 0 !important; }
  .findings td:first-child { padding-top: 0.9rem; }
  .findings tr + tr > td:first-child { border-top: 1px solid var(--rule) !important; }
  .findings tr { padding-bottom: 0.6rem; }
}
@media (min-width: 88rem) {
  .frame { display: grid; grid-template-columns: 15rem 60rem; column-gap: 3rem; max-width: 78rem; }
  .frame > * { grid-column: 2; }
  .frame > nav {
    grid-column: 1; grid-row: 1 / span 3; position: sticky; top: 0; align-self: start;
    max-height: 100vh; margin: 0; padding: 3.2rem 0 2rem; overflow-y: auto;
  }
  nav > ol { columns: 1; }
}
@media print {
  :root {
    --page: #ffffff; --card: #ffffff; --ink: #000000; --soft: #444444; --rule: #bbbbbb;
    --faint: #ffffff; --link: #000000; --good: #1e6b3a; --bad: #7d1f18;
  }
  body { padding: 0; font-size: 10pt; }
  .frame { display: block; max-width: none; }
  nav, details:not([open]) { display: none; }
  h2 { break-after: avoid; }
  h3 { break-after: avoid; }
  figure, .tiles li, .findings tr { break-inside: avoid; }
  .scroll { overflow: visible; background: none; }
  figure svg { min-width: 0; max-height: 23cm; }
  .measures { font-size: 6.5pt; }
  .measures .number { padding-left: 0.4rem; }
  .measures thead .number { min-width: 0; }
  .verdict { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
