/** How the HTML report looks: light and dark by the reader's setting, on a phone, on paper. */
export const style = `
:root{color-scheme:light dark;--ground:light-dark(#fff,#14171a);--panel:light-dark(#f5f6f8,#1d2125);
--ink:light-dark(#1b1f24,#e7eaee);--soft:light-dark(#57606a,#9aa4af);--line:light-dark(#d5dae0,#343a41);
--accent:light-dark(#0b5cad,#7ab7ff);--critical:light-dark(#a8071a,#ff6b6b);--high:light-dark(#c2410c,#ff9f5a);
--medium:light-dark(#8a6100,#e6c04a);--low:light-dark(#1d6f8a,#6cc5dc);--info:light-dark(#57606a,#9aa4af);
--unknown:light-dark(#6b3fa0,#c3a1ef)}
:root[data-theme=light]{color-scheme:light}:root[data-theme=dark]{color-scheme:dark}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.45 system-ui,sans-serif}
header,main{max-width:1280px;margin:0 auto;padding:16px}
header{display:flex;flex-wrap:wrap;gap:8px 16px;align-items:baseline}
h1{font-size:1.35rem;margin:0}h2{font-size:.95rem;margin:0 0 8px}
.soft{color:var(--soft)}.grow{flex:1}
button,input,select{font:inherit;color:inherit;background:var(--ground);border:1px solid var(--line);border-radius:6px;padding:5px 9px}
button{cursor:pointer}button:disabled{opacity:.5;cursor:default}
:focus-visible{outline:3px solid var(--accent);outline-offset:1px}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(255px,1fr));gap:12px;margin-bottom:16px}
.chart{background:var(--panel);border:1px solid var(--line);border-radius:10px;padding:12px}
.bar{display:grid;grid-template-columns:minmax(70px,50%) 1fr 3.6em;gap:8px;align-items:center;width:100%;
border:0;background:none;padding:3px 4px;text-align:left}
.bar[aria-pressed=true]{background:var(--ground);box-shadow:inset 0 0 0 2px var(--accent)}
.bar .name{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.bar .track{height:10px;border-radius:5px;background:var(--line);overflow:hidden}
.bar .fill{display:block;height:100%;background:var(--accent)}
.bar .number{text-align:right;font-variant-numeric:tabular-nums}
.critical{--own:var(--critical)}.high{--own:var(--high)}.medium{--own:var(--medium)}
.low{--own:var(--low)}.info{--own:var(--info)}.unknown{--own:var(--unknown)}
.bar .fill.own{background:var(--own)}
.severity{color:var(--own);font-weight:600}
.tools{display:flex;flex-wrap:wrap;gap:8px;align-items:center;margin-bottom:10px}
.tools input{flex:1 1 240px;min-width:0}
.scroll{overflow-x:auto;border:1px solid var(--line);border-radius:10px}
table{border-collapse:collapse;width:100%;min-width:640px}
th,td{padding:7px 10px;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}
td{overflow-wrap:anywhere}tr:last-child td{border-bottom:0}
thead{background:var(--panel)}th button{border:0;background:none;padding:0;font-weight:600;white-space:nowrap}
td button{border:0;background:none;padding:0;color:var(--accent);text-align:left;text-decoration:underline}
.pages{display:flex;gap:10px;align-items:center;justify-content:center;padding:12px}
dialog{color:var(--ink);background:var(--ground);border:1px solid var(--line);border-radius:12px;max-width:min(760px,94vw);width:100%;padding:20px}
dialog::backdrop{background:rgb(0 0 0/.5)}
dl{display:grid;grid-template-columns:minmax(90px,auto) 1fr;gap:4px 14px;margin:12px 0}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere;white-space:pre-wrap}
a{color:var(--accent)}kbd{border:1px solid var(--line);border-radius:4px;padding:0 5px}
@media (max-width:640px){.scroll{border:0;overflow:visible}table{min-width:0}thead{display:none}
tr{display:block;border:1px solid var(--line);border-radius:10px;margin-bottom:8px;padding:6px}
td{display:grid;grid-template-columns:6.2em 1fr;border:0;padding:3px 6px}
td::before{content:attr(data-title);color:var(--soft)}td:empty{display:none}}
@media print{.tools,.pages,header button{display:none}}
`;
