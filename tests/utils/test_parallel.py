import os
import signal
import time

import cv2
import numpy as np
import pytest

from mmwsis.utils.parallel import OrderedPool


def square(value):
    return value * value


def own_pid(_):
    return os.getpid()


def die_at_7(value):
    if value == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return value


def fail_at_7(value):
    if value == 7:
        raise KeyError('size')
    return value


def refuse(value):
    raise ValueError(f'image{value}.png is broken')


def image_name(value):
    return f'image{value}.png'


def is_running(pid):
    try:
        with open(f'/proc/{pid}/stat') as file:
            return file.read().rpartition(')')[2].split()[0] != 'Z'
    except OSError:
        return False


@pytest.mark.parametrize('workers', [1, 2])
def test_results_come_in_order(workers):
    with OrderedPool(workers) as pool:
        assert list(pool.imap(square, range(30))) == [k * k for k in range(30)]


def test_there_must_be_a_worker():
    with pytest.raises(ValueError, match='at least 1, given 0'):
        OrderedPool(0)


def test_a_dead_worker_ends_the_map_and_names_its_job():
    with (
        pytest.raises(RuntimeError, match=r'died.*\bimage7\.png') as caught,
        OrderedPool(2) as pool,
    ):
        list(pool.imap(die_at_7, range(30), image_name))
    # Two processes work on two jobs at most.
    assert str(caught.value).count('.png') <= 2


@pytest.mark.parametrize('workers', [1, 2])
def test_a_failed_job_is_named(workers):
    with OrderedPool(workers) as pool:
        with pytest.raises(RuntimeError, match=r"^image7.png: KeyError: 'size'$"):
            list(pool.imap(fail_at_7, range(30), image_name))
        with pytest.raises(ValueError, match=r'^image0.png is broken$'):
            list(pool.imap(refuse, range(30), image_name))


def test_jobs_are_not_drawn_far_ahead():
    drawn = []

    def jobs():
        for k in range(1000):
            drawn.append(k)
            yield k

    with OrderedPool(2) as pool:
        assert next(pool.imap(square, jobs())) == 0
    assert len(drawn) == 8


def test_workers_end_when_their_parent_is_killed():
    read, write = os.pipe()
    parent = os.fork()
    if parent == 0:
        with OrderedPool(2) as pool:
            pids = set(pool.imap(own_pid, range(8)))
            os.write(write, ' '.join(map(str, pids)).encode())
            time.sleep(60)
        os._exit(0)
    pids = [int(pid) for pid in os.read(read, 100).split()]
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    assert pids and parent not in pids
    end = time.monotonic() + 30
    while any(map(is_running, pids)) and time.monotonic() < end:
        time.sleep(0.1)
    assert not any(map(is_running, pids))


def opencv_threads(_):
    return cv2.getNumThreads()


def test_processes_start_after_opencv_has_threads():
    """Switching threads off in a forked process waits for ever."""

    def give_up(*_):
        raise TimeoutError('the processes did not start within 60 s')

    before = cv2.getNumThreads()
    previous = signal.signal(signal.SIGALRM, give_up)
    try:
        cv2.setNumThreads(4)
        cv2.GaussianBlur(np.zeros((2000, 2000, 3), np.uint8), (31, 31), 0)
        signal.alarm(60)
        with OrderedPool(2) as pool:
            assert list(pool.imap(opencv_threads, range(4))) == [1] * 4
        assert cv2.getNumThreads() == 4
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)
        cv2.setNumThreads(before)
