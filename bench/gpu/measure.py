"""Measures training and sampling on the GPU of this machine, ours through WebGPU beside PyTorch, step by step.

Each step is a process with a time limit. What it found goes at once to $OUT/results.jsonl, what it said to $OUT/log.txt; a table comes
last. Environment:

  BUDGET_S  seconds in all (420); steps that would begin too late are left out
  ONLY      steps to run, by commas; a part of a name will do
  QUICK     1: tiny sizes, to try this script out
  VK_DRIVER_FILES  the Vulkan driver, where it is not to be looked for
"""

import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import time

APP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OUT = os.environ['OUT']
QUICK = os.environ.get('QUICK') == '1'
BUDGET = float(os.environ.get('BUDGET_S', 420))
ONLY = [part for part in os.environ.get('ONLY', '').split(',') if part]
START = time.monotonic()
NODE = os.path.join(APP, 'bin', 'node')
LIBRARIES = [os.path.join(APP, 'lib'), os.environ.get('LD_LIBRARY_PATH', ''), '/usr/local/nvidia/lib64', '/usr/local/nvidia/lib']
ENV = {**os.environ, 'LD_LIBRARY_PATH': ':'.join(filter(None, LIBRARIES))}


def elapsed():
    return time.monotonic() - START


def say(text):
    print(f'[{elapsed():6.1f} s] {text}', flush=True)
    with open(os.path.join(OUT, 'log.txt'), 'a') as log:
        log.write(f'[{elapsed():6.1f} s] {text}\n')


def run(command, seconds, env=ENV):
    """Standard output of a command, what it wrote to standard error, and its exit code; None if it was stopped."""
    child = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        out, err = child.communicate(timeout=seconds)
        return out, err, child.returncode
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        out, err = child.communicate()
        return out, err, None


def last_json(text):
    for line in reversed(text.strip().splitlines()):
        try:
            return json.loads(line)
        except ValueError:
            continue
    return None


def record(name, seconds, code, result, error=''):
    with open(os.path.join(OUT, 'results.jsonl'), 'a') as file:
        file.write(json.dumps({'step': name, 'seconds': round(seconds, 1), 'code': code, 'result': result, 'error': error}) + '\n')


RESULTS = {}


def step(name, limit, command, env=ENV):
    """Runs a step if there is time left for it; the last line of its output that is JSON is its result."""
    if ONLY and not any(part in name for part in ONLY):
        return None
    if elapsed() > BUDGET - min(limit, 20):
        say(f'{name}: left out, no time')
        record(name, 0, None, None, 'no time')
        return None
    began = elapsed()
    out, err, code = run(command, min(limit, BUDGET - elapsed()), env)
    result = last_json(out) if code == 0 else None
    tail = '' if code == 0 else err.strip()[-1500:]
    RESULTS[name] = result
    with open(os.path.join(OUT, 'log.txt'), 'a') as log:
        log.write(f'---- {name}: {" ".join(command)}\n{err}\n')
    record(name, elapsed() - began, code, result, tail)
    outcome = 'done' if code == 0 else 'STOPPED, over its time' if code is None else f'FAILED ({code}): {tail[-300:]}'
    say(f'{name}: {outcome} in {elapsed() - began:.1f} s')
    return result


def drivers():
    """Descriptions of a Vulkan driver to try, the likeliest first; None is what the loader finds itself."""
    given = os.environ.get('VK_DRIVER_FILES') or os.environ.get('VK_ICD_FILENAMES')
    if given:
        yield given
        return
    places = ['/usr/local/nvidia/share', '/etc', '/usr/share', '/usr/local/share']
    found = [file for place in places for file in glob.glob(f'{place}/vulkan/icd.d/nvidia*.json')]
    yield from found
    yield None
    for library in ('libGLX_nvidia.so.0', 'libEGL_nvidia.so.0'):
        at = [f for d in ('/usr/local/nvidia/lib64', '/usr/lib/x86_64-linux-gnu', '/usr/lib64') for f in glob.glob(f'{d}/{library}')]
        if at:
            file = os.path.join(OUT, f'{library.split(".")[0]}.json')
            with open(file, 'w') as icd:
                json.dump({'file_format_version': '1.0.0', 'ICD': {'library_path': at[0], 'api_version': '1.3.0'}}, icd)
            yield file


def find_gpu():
    """Sets the driver under which an NVIDIA GPU, or whatever the caller's driver has, is all that WebGPU can see."""
    script = os.path.join(APP, 'bench', 'gpu', 'vulkan.py')
    for driver in drivers():
        chosen = {'VK_DRIVER_FILES': driver, 'VK_ICD_FILENAMES': driver} if driver else {}
        out, err, _ = run([sys.executable, script], 30, {**ENV, **chosen})
        seen = last_json(out) or []
        say(f'Vulkan with {driver or "the default drivers"}: {[d["name"] for d in seen] or err.strip()[-200:]}')
        if seen and (os.environ.get('VK_DRIVER_FILES') or os.environ.get('VK_ICD_FILENAMES') or 'NVIDIA' in seen[0]['name']):
            ENV.update(chosen)
            record('vulkan', elapsed(), 0, {'driver': driver, 'devices': seen})
            return
    for command in (
        'ls -la /dev/nvidia* /dev/dri /usr/local/nvidia /usr/local/nvidia/share',
        'ldconfig -p | grep -iE "nvidia|vulkan|glx"',
        'find / -xdev \\( -name "*icd*.json" -o -name "libGLX_nvidia*" -o -name "libEGL_nvidia*" \\) 2>/dev/null',
    ):
        say(command + '\n' + run(['sh', '-c', command], 20)[0][-2500:])
    say('NO GPU that Vulkan can use: nothing was measured')
    sys.exit(1)


def bench(*args):
    return [NODE, os.path.join(APP, 'bench', 'gpu', 'main.mjs'), *args]


def peer(row, limit):
    rounds = '1' if QUICK else '3'
    step(f'peer {row}', limit, bench('peer', '--device', 'webgpu', '--only', row, '--rounds', rounds, '--python', sys.executable, '--json'))


def curves():
    """Twenty training steps of a small model here and on the CPU must lose the same."""
    script = os.path.join(APP, 'test', 'webgpu', 'train.mjs')
    gpu = step('curve webgpu', 60, [NODE, script, 'webgpu'])
    if not gpu and not ONLY:
        say('Not even a small model trains: nothing more was tried')
        with open(os.path.join(OUT, 'log.txt')) as log:
            print(log.read()[-6000:])
        sys.exit(1)
    cpu = step('curve cpu', 60, [NODE, script, 'cpu'])
    if gpu and cpu:
        worst = max(abs(a - b) for a, b in zip(gpu['losses'], cpu['losses']))
        where = sorted(set(gpu['locations'].values()))
        say(f'20 losses, {cpu["losses"][0]:.4f} to {cpu["losses"][-1]:.4f}: they differ by {worst:.1e} at most; state is in {where}')
        record('curve', 0, 0, {'worst': worst, 'locations': where})


SIZES = '--layers 1 --dim 32 --heads 2 --grid 4 --codes 64 --batch 2' if QUICK else '--layers 12 --dim 384 --heads 12 --grid 16 --codes 1024 --batch 4'


def profile(name, limit, *args):
    trace = os.path.join(os.environ.get('TMPDIR', '/tmp'), 'trace.json')
    before = os.path.getsize(os.path.join(OUT, 'log.txt'))
    step(f'profile {name}', limit, bench('train-step', '--device', 'webgpu', *args, '--rounds', '2', '--profile', trace, '--json'))
    with open(os.path.join(OUT, 'log.txt')) as log:
        log.seek(before)
        print(log.read()[-6500:])
    if os.path.exists(trace):
        os.remove(trace)


def variant(name, old, new):
    """A copy of our program in which one setting of the runtime is another, timed."""
    if ONLY and not any(part in f'setting {name}' for part in ONLY):
        return
    folder = os.path.join(APP, 'variants', name)
    shutil.copytree(os.path.join(APP, 'dist'), os.path.join(folder, 'dist'))
    shutil.copytree(os.path.join(APP, 'bench'), os.path.join(folder, 'bench'))
    shutil.copy(os.path.join(APP, 'package.json'), folder)
    os.symlink(os.path.join(APP, 'node_modules'), os.path.join(folder, 'node_modules'))
    file = os.path.join(folder, 'dist', 'engine', 'engine-worker.js')
    with open(file) as source:
        text = source.read()
    assert old in text, f'{name}: nothing to replace'
    with open(file, 'w') as target:
        target.write(text.replace(old, new))
    main = os.path.join(folder, 'bench', 'gpu', 'main.mjs')
    step(f'setting {name}', 60, [NODE, main, 'train-step', '--device', 'webgpu', *SIZES.split(), '--rounds', '5', '--json'])


def table():
    heads = ['row', 'ours ms', 'PyTorch ms', 'TF32 ms', 'fp32/ours', 'TF32/ours', 'busy', 'GPU MB', 'PyTorch busy', 'GPU MB', 'ready s', 'diff']
    rows = [heads]
    form = lambda value, digits=1: '' if value is None else f'{value:.{digits}f}'
    for name, result in RESULTS.items():
        if not name.startswith('peer') or not result:
            continue
        r = result['rows'][0]
        ours, theirs = r['gpu'].get('ours') or {}, r['gpu'].get('pytorch') or {}
        tf32 = r.get('tf32Ms')
        rows.append([
            r['name'], form(r['oursMs'], 2), form(r['pytorchMs'], 2), form(tf32, 2), form(r['ratio'], 2),
            form(tf32 and tf32 / r['oursMs'], 2), form(ours.get('busy'), 0), form(ours.get('peakMB'), 0),
            form(theirs.get('busy'), 0), form(theirs.get('peakMB'), 0), form(r['readySeconds']['ours']), f'{r["difference"]:.0e}',
        ])
    widths = [max(len(row[i]) for row in rows) for i in range(len(heads))]
    for row in rows:
        print('  '.join(cell.rjust(width) for cell, width in zip(row, widths)))
    for name, result in RESULTS.items():
        if name.startswith('setting') and result:
            print(f'{name}: median {result["medianMs"]:.2f} ms, least {result["minMs"]:.2f} ms')
        elif name == 'fallbacks' and result:
            device = next(r for r in result['results'] if 'fallbacks' in r)
            print('on the CPU ran:', {job: [k['operator'] for k in some] for job, some in device['fallbacks'].items()})
        elif result is None:
            print(f'{name}: NO RESULT')


def main():
    with open(os.path.join(APP, 'commit.txt')) as commit:
        say(f'commit {commit.read().strip()}; {run(["nvidia-smi", "-L"], 20)[0].strip() if shutil.which("nvidia-smi") else "no nvidia-smi"}')
    find_gpu()
    curves()
    for row in ['train-tiny'] if QUICK else ['train-12x384', 'train-ffhq-4']:
        peer(row, 120)
    profile('base', 60, *SIZES.split())
    later = 'train-tiny-in-place reverse-tiny tokenizer-tiny' if QUICK else (
        'train-12x384-32 reverse-base-1 reverse-base-16 tokenizer-128 train-ffhq-16 train-base train-base-32 reverse-ffhq-1 reverse-ffhq-16 tokenizer-128-16'
    )
    for row in later.split():
        peer(row, 120 if 'ffhq' in row else 75)
    sizes = SIZES.split() if QUICK else '--layers 2 --dim 128 --heads 4 --grid 8 --codes 256 --batch 4'.split()
    step('fallbacks', 150 if QUICK else 60, bench('device', '--nodes', '--rounds', '3', '--json', *sizes))
    if not QUICK:
        profile('ffhq', 90, *'--layers 24 --dim 512 --heads 16 --grid 16 --codes 4096 --batch 16 --in-place'.split())
    variant('as it is', '[device]', '[device]')
    variant('without validation', '[device]', "[{ name: device, validationMode: 'disabled' }]")
    variant('NCHW', '[device]', "[{ name: device, preferredLayout: 'NCHW' }]")
    table()
    say('finished')


main()
