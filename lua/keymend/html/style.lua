-- style.lua: the style sheet of the page: light and dark, phone and print, without anything from outside

return [[
:root {
  color-scheme: light dark;
  --back: #f6f7f8; --card: #ffffff; --text: #1b2026; --faint: #56606b; --line: #cdd3da; --grid: #e3e7eb;
  --link: #0b57a4; --focus: #0b57a4; --code: #eef1f4;
  --error: #a8201a; --error-back: #fdeceb; --warning: #7d4e00; --warning-back: #fdf3dc;
  --good: #17633a; --good-back: #e6f4ea; --info: #1c5a96; --info-back: #e8f1fa; --on: #ffffff;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #121517; --card: #1b1f23; --text: #e7eaed; --faint: #a3adb8; --line: #3b434b; --grid: #2a3036;
    --link: #8dbdf2; --focus: #8dbdf2; --code: #272d33;
    --error: #ff9b92; --error-back: #3a1b1a; --warning: #f3c76a; --warning-back: #352a12;
    --good: #82d6a0; --good-back: #14301f; --info: #93c1ee; --info-back: #16293b; --on: #121517;
  }
}
* { box-sizing: border-box }
html { -webkit-text-size-adjust: 100%; scroll-behavior: auto }
body {
  margin: 0; background: var(--back); color: var(--text); font: 15px/1.45 system-ui, "Segoe UI", Tahoma, sans-serif;
  overflow-wrap: anywhere;
}
header, main, footer { max-width: 1248px; margin: 0 auto; padding: 0 24px }
header { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 16px; padding-top: 12px; padding-bottom: 8px }
h1, h2, h3, p, ol, ul, dl, pre, figure, table { margin: 0 }
h1 { font-size: 20px; line-height: 1.3 }
h2 { font-size: 20px; line-height: 1.3; margin: 34px 0 10px }
h3 { font-size: 14px; line-height: 1.35 }
a { color: var(--link) }
a:focus-visible, [tabindex]:focus-visible, summary:focus-visible {
  outline: 3px solid var(--focus); outline-offset: 2px; border-radius: 3px;
}
code, pre { font: 12.5px/1.45 ui-monospace, Consolas, "DejaVu Sans Mono", "Lucida Console", monospace }
pre { background: var(--code); border: 1px solid var(--line); border-radius: 6px; padding: 6px 10px;
  white-space: pre-wrap; overflow-wrap: anywhere }
time { font-variant-numeric: tabular-nums }
time span { white-space: nowrap }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) }
.faint, .faint a { color: var(--faint) }
.hash { color: var(--faint) }
.skip { position: absolute; left: -9999px }
.skip:focus { left: 8px; top: 8px; background: var(--card); padding: 8px 12px; z-index: 2 }
.note { color: var(--faint); max-width: 75em }

/* The first screen. */
.cause { background: var(--card); border: 1px solid var(--line); border-left: 8px solid var(--tone);
  border-radius: 8px; padding: 10px 18px 12px }
.cause h2 { font-size: 23px; margin: 3px 0 0 }
.cause h2 .faint { font-weight: 400 }
.verdict { display: inline-block; background: var(--tone); color: var(--on); font-weight: 700; font-size: 13px;
  border-radius: 4px; padding: 1px 9px }
.error { --tone: var(--error) } .warning { --tone: var(--warning) }
.good { --tone: var(--good) } .info { --tone: var(--info) }
.cards { display: grid; grid-template-columns: repeat(12, 1fr); gap: 12px; margin-top: 12px }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 10px 16px 12px }
.card h2 { font-size: 13px; font-weight: 700; margin: 0 0 4px; color: var(--faint) }
.card p + p, .card p + ol, .card ol + p, .card ol + pre, .card p + pre, .card pre + p { margin-top: 5px }
.card h3 { margin-top: 8px } .card h2 + h3 { margin-top: 0 }
.card.when { grid-column: span 4 } .card.which { grid-column: span 8 }
.card.done { grid-column: span 7 } .card.down { grid-column: span 5 }
.big { font-size: 18px; font-weight: 650; line-height: 1.3 }
.key .file { font-size: 13px } .key .faint { display: block; font-size: 13.5px }
.right { border-left: 4px solid var(--good); padding-left: 10px }
.card ol:not(.chips) { padding-left: 1.4em }
.adopt { color: var(--good) } .retire { color: var(--warning) }
.chips { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: 6px; counter-reset: chip }
.chips li { counter-increment: chip; border: 1px solid var(--line); border-radius: 5px; padding: 1px 9px 1px 7px;
  font-weight: 600; font-size: 14px; background: var(--back) }
.chips li::before { content: counter(chip) ". "; color: var(--faint); font-weight: 400 }
.chips li.rest::before { content: "" }

/* The pictures. */
figure { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 14px 18px }
figcaption { color: var(--faint); font-size: 14px; margin-top: 8px }
svg { display: block; fill: var(--text) }
.chart { width: 100%; height: auto; font: 12.5px/1 system-ui, "Segoe UI", Tahoma, sans-serif }
.chart .heading { font-weight: 700; fill: var(--faint) }
.chart .faint, .chart .gap { fill: var(--faint); font-size: 12px }
.chart .date { font-weight: 600; font-variant-numeric: tabular-nums }
.chart .label, .chart .heading { paint-order: stroke; stroke: var(--card); stroke-width: 4px; stroke-linejoin: round }
.chart .lane, .chart .guide { stroke: var(--grid) }
.axis, .tick { stroke: var(--text); stroke-width: 1.6 }
.axis.broken { stroke-dasharray: 7 5 }
.onset-line { stroke: var(--error); stroke-width: 1.8 }
.onset-line.other { stroke-dasharray: 3 5 }
.mark { --tint: var(--text) }
.mark.current, .mark.success { --tint: var(--good) } .mark.foreign { --tint: var(--link) }
.mark.regenerated { --tint: var(--warning) }
.mark.event, .mark.onset, .mark.other-onset { --tint: var(--error) } .mark.guid { --tint: var(--text) }
.mark.stray, .mark.backup, .mark.transaction, .mark.master-key { --tint: var(--faint) }
.full { fill: var(--tint) }
.line { fill: var(--card); stroke: var(--tint); stroke-width: 2.2 }
.cut { fill: none; stroke: var(--card); stroke-width: 1.9 }
.life line { stroke: var(--faint) }
.life .found { stroke-width: 4; stroke: var(--good) }
.life.regenerated .found { stroke: var(--warning) }
.life .lost { stroke-width: 2; stroke-dasharray: 2 5 }
.life .arrow { fill: none; stroke: var(--faint); stroke-width: 1.8 }
.span, .stop { stroke: var(--error); stroke-width: 2 }
.plan rect { fill: var(--card); stroke-width: 2 }
.plan path { fill: none; stroke-width: 2.2 }
.plan .word { font-weight: 750 }
.plan.adopt rect { fill: var(--good); stroke: var(--good) } .plan.adopt path { stroke: var(--on) }
.plan.adopt .word { fill: var(--on) }
.plan.retire rect, .plan.retire path { stroke: var(--warning) } .plan.retire .word { fill: var(--warning) }
.tip { visibility: hidden; font-size: 12px }
.link:hover .tip, .link:focus .tip { visibility: visible }
.link:hover .label, .link:focus .label { text-decoration: underline }
.link:focus-visible { outline: none }
.link:focus-visible .mark > * { stroke: var(--focus); stroke-width: 4; paint-order: stroke }
.link:focus-visible .label { font-weight: 700; fill: var(--focus) }
.legend { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: 3px 18px; font-size: 14px;
  margin-top: 8px }
.legend li { display: flex; gap: 7px; align-items: center }
.graph { width: 100%; height: auto; font: 13px/1 system-ui, "Segoe UI", Tahoma, sans-serif }
.edge { fill: none; stroke: var(--faint); stroke-width: 1.6 } .head, .joint { fill: var(--faint) }
.node rect { fill: var(--back); stroke: var(--line); stroke-width: 1.5 }
.files { list-style: none; padding: 0; margin-top: 6px; background: var(--card); border: 1px solid var(--line);
  border-radius: 8px }
.files li { display: grid; grid-template-columns: 26px minmax(0, 5fr) minmax(0, 3fr) minmax(0, 3fr); gap: 4px 14px;
  padding: 8px 14px } .files li + li { border-top: 1px solid var(--grid) }
.beside .files { margin-top: 0 } .beside .files li { grid-template-columns: 26px minmax(0, 5fr) minmax(0, 4fr) }
.files .number { font-weight: 700 }
.node circle { fill: var(--text) } .node .number { fill: var(--card); font-weight: 700 }
.node .name { font-weight: 700 } .node .faint { fill: var(--faint); font-size: 12px }
.node.alone rect { stroke-dasharray: 4 4; fill: none } .node.alone .name { font-weight: 400 }
.node:focus-visible { outline: none } .node:focus-visible rect { stroke: var(--focus); stroke-width: 3 }
.beside { display: grid; grid-template-columns: minmax(0, 2fr) minmax(0, 3fr); gap: 18px; align-items: start }

/* Tables and lists. */
.wide { margin-top: 12px }
table { border-collapse: collapse; width: 100%; background: var(--card); border: 1px solid var(--line) }
caption { text-align: left; color: var(--faint); padding: 0 0 6px }
th, td { text-align: left; vertical-align: top; padding: 6px 10px; border-top: 1px solid var(--grid) }
thead th { border-top: 0; color: var(--faint); font-size: 13.5px }
tr:target { background: var(--info-back) }
td.look { width: 42px } td.at { width: 1%; white-space: nowrap }
#timeline td.look { background: linear-gradient(var(--line), var(--line)) 20px / 2px 100% no-repeat }
#timeline tr.gap td { color: var(--faint); font-size: 14px; padding-top: 1px; padding-bottom: 1px }
#timeline tr.gap td.look { background: repeating-linear-gradient(var(--line) 0 3px, transparent 3px 7px) 20px / 2px 100%
  no-repeat }
th { overflow-wrap: normal }
td p + p { margin-top: 3px }
.finding { background: var(--card); border: 1px solid var(--line); border-left: 6px solid var(--tone);
  border-radius: 8px; padding: 10px 16px 12px; margin-top: 12px }
.finding h3 { font-size: 15.5px; display: flex; flex-wrap: wrap; gap: 4px 10px; align-items: baseline }
.severity { background: var(--tone); color: var(--on); border-radius: 4px; padding: 0 8px; font-size: 13px }
.finding p, .finding ul, .finding pre { margin-top: 6px }
.evidence { padding-left: 1.2em }
.evidence time { font-weight: 600 }
.evidence .pro::marker { content: "+  "; font-weight: 700 }
.evidence .contra::marker { content: "\2212  "; font-weight: 700 }
.remedy strong { color: var(--good) }
.steps { padding-left: 0; list-style: none; display: grid; gap: 10px; counter-reset: step }
.steps li { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 10px 16px }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: 4px 18px; background: var(--card);
  border: 1px solid var(--line); border-radius: 8px; padding: 12px 16px }
.facts dt { color: var(--faint) } .facts dd { margin: 0 }
footer { color: var(--faint); font-size: 14px; padding-top: 28px; padding-bottom: 28px }

@media (max-width: 900px) {
  .card.when, .card.which, .card.done, .card.down { grid-column: span 12 }
  .files li, .beside .files li { grid-template-columns: 26px minmax(0, 1fr) } .files li > * { grid-column: 2 }
  .files li > .icon, .files .number { grid-column: 1; grid-row: 1 / span 3 }
  .beside { grid-template-columns: minmax(0, 1fr) }
}
/* On a phone the table below the picture is the timeline: its marks and gaps stand in the rows. */
@media (max-width: 720px) {
  header, main, footer { padding-left: 14px; padding-right: 14px }
  #timeline figure { display: none }
  .cause h2 { font-size: 19px } figure { padding: 10px 8px }
  th, td { padding: 6px 6px }
  td.at { white-space: normal; min-width: 92px }
  td.look { width: 33px } #timeline td.look, #timeline tr.gap td.look { background-position-x: 15px }
  .facts { grid-template-columns: minmax(0, 1fr) } .facts dd { margin-bottom: 6px }
}
@media print {
  :root {
    --back: #ffffff; --card: #ffffff; --text: #000000; --faint: #444444; --line: #999999; --grid: #cccccc;
    --link: #000000; --code: #ffffff; --error: #8a1410; --warning: #6b4300; --good: #0f4d2b; --info: #174a7c;
    --on: #ffffff;
  }
  @page { margin: 14mm }
  body { font-size: 9pt; line-height: 1.35 }
  header, main, footer { padding-left: 1px; padding-right: 1px; max-width: none }
  h2 { font-size: 13pt; margin-top: 16pt } .cause h2 { font-size: 14pt } .big { font-size: 11.5pt }
  code, pre, .key .file { font-size: 7.8pt } .key .faint, .chips li { font-size: 8.5pt }
  th, td { padding: 3px 6px } figcaption, .legend, #timeline tr.gap td { font-size: 8pt }
  .files li { grid-template-columns: 26px minmax(0, 5fr) minmax(0, 3fr) minmax(0, 3fr) }
  .files li > * , .files li > .icon { grid-column: auto; grid-row: auto }
  .skip { display: none }
  #timeline figure { display: block; padding: 6px }
  .card.when { grid-column: span 4 } .card.which { grid-column: span 8 }
  .card.done { grid-column: span 7 } .card.down { grid-column: span 5 }
  .verdict, .severity, .plan rect, .mark * { -webkit-print-color-adjust: exact; print-color-adjust: exact }
  .card, .finding, figure, .steps li, tr { break-inside: avoid }
  h2, h3, caption { break-after: avoid }
  a { color: inherit; text-decoration: none }
}
]]
