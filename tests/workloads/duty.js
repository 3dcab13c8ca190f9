// As duty.c, in JavaScript. Node tells the CPU time of the process, whose other threads hardly run.

function now() {
    const used = process.cpuUsage();
    return (used.user + used.system) * 1000;
}

function spin(ns) {
    const until = now() + ns;
    let sink = 0;
    while (now() < until) {
        for (let i = 0; i < 20000; i++) {
            sink = (sink * 3 + i) | 0;
        }
    }
    return sink;
}

function a(ns) { return spin(ns); }
function b(ns) { return spin(ns); }
function c(ns) { return spin(ns); }
function d(ns) { return spin(ns); }

const functions = [a, b, c, d];
const spent = [0, 0, 0, 0];
const end = now() + Number(process.argv[2]) * 1e6;
let chance = 1;
while (now() < end) {
    for (let i = 0; i < 4; i++) {
        chance = (chance * 48271) % 2147483647;
        const began = now();
        functions[i]((i + 1) * (500000 + chance % 1000000));
        spent[i] += now() - began;
    }
}
functions.forEach((f, i) => console.log(f.name, spent[i]));
