"""Figures say what the numbers say."""

import json
import re
from base64 import b64decode, b64encode
from dataclasses import replace
from xml.etree import ElementTree

import cv2
import h5py
import numpy as np
import pytest
from toy import toy_body

from hmr.body.joints import LSP_14
from hmr.mocap.pool import Captured, Clip, write_pool
from hmr.report.joints import PIXELS_A_METRE, joints_svg
from hmr.report.motion import VIEW_PX, motion_strips
from hmr.report.runtimes import Job, graph_svg, read_jobs


def test_a_circle_is_as_large_as_the_error_on_the_bodys_scale():
    body = toy_body()
    places = np.random.default_rng(0).normal(0, 0.3, (14, 3))
    errors = {"first": {"head_top": 80.0, "left_wrist": 200.0}, "second & <third>": {"neck": 50.0}}
    root = ElementTree.fromstring(joints_svg(errors, body["v_template"], body["f"], places))
    circles = [element for element in root.iter() if element.tag.endswith("circle")]
    assert [float(c.get("r")) for c in circles] == [e * PIXELS_A_METRE for e in (0.2, 0.08, 0.05)]
    # Two circles of one body are as far apart as their joints.
    drawn = np.array([[float(c.get("cx")), float(c.get("cy"))] for c in circles[:2]])
    wrist, head = (places[LSP_14.joints.index(name), :2] for name in ("left_wrist", "head_top"))
    np.testing.assert_allclose(drawn[0] - drawn[1], (wrist - head) * PIXELS_A_METRE, atol=0.11)
    assert next(t.text for t in root.iter() if t.tag.endswith("title")) == "left wrist: 200 mm"


def metadata(folder, output, rule, inputs, start, end, **more):
    record = {
        "rule": rule,
        "input": inputs,
        "starttime": start,
        "endtime": end,
        "shellcmd": f"make {rule}",
        **more,
    }
    (folder / b64encode(output.encode()).decode()).write_text(json.dumps(record))


def test_jobs_are_read_from_snakemakes_book(tmp_path):
    metadata(tmp_path, "train/a.csv", "train", ["data.h5"], 100.2, 110.0)
    metadata(tmp_path, "train/a.safe", "train", ["data.h5"], 100.1, 110.0)  # two outputs of one job
    metadata(tmp_path, "data.h5", "normalize", ["code.py"], 90.0, 94.0)
    metadata(tmp_path, "half.h5", "normalize", [], 0.0, 1.0, incomplete=True)
    (tmp_path / "other").write_text("no record")
    jobs = sorted(read_jobs(tmp_path), key=lambda job: job.rule)
    assert [job.rule for job in jobs] == ["normalize", "train"]
    assert jobs[1].seconds == pytest.approx(9.9) and sorted(jobs[1].outputs) == ["train/a.csv", "train/a.safe"]
    assert read_jobs(tmp_path / "nowhere") == []


def test_the_graph_has_a_box_a_rule_below_what_it_needs_and_no_needless_line():
    jobs = [
        Job("first", (), ("a",), 30.0),
        Job("then", ("a",), ("b1",), 100.0),
        Job("then", ("a",), ("b2",), 140.0),
        Job("last", ("a", "b1", "b2"), ("c",), 0.1),  # first to last goes without saying
    ]
    svg = graph_svg(jobs)
    ElementTree.fromstring(svg)
    told = re.findall(r">([^<>]+)</text>", svg)
    assert told == ["first", "1 job, 30 s", "then", "2 jobs, 4.0 min", "last", "1 job, –"]
    assert len(re.findall(r"\dC\d", svg)) == 2


FACTS = {"dataset": "mocap", "source": "studio", "licence": "CC0-1.0", "raw_sha256": "0" * 64}


def clip_of(name, captured=None, mirrored=False):
    rng, errors = np.random.default_rng(list(name.encode())), np.linspace(1, 3, 30).astype(np.float32)
    pose = rng.normal(0, 0.1, (30, 24, 3))
    return Clip(name, pose, np.zeros(10), np.arange(30), 10.0, errors, mirrored, captured)


def shown(path, clips):
    """The section of a pool, and the thetas that were posed for it."""
    write_pool(path, iter(clips), attributes=FACTS)
    body, posed = toy_body(), []

    def pose(theta):
        posed.append(theta)
        return np.repeat(body["v_template"][None], len(theta), 0)

    with h5py.File(path) as pool:
        return motion_strips(pool, pose, body["f"]), posed


def pixels(strip):
    content = np.frombuffer(b64decode(strip.pictures[0].uri.partition(",")[2]), np.uint8)
    return cv2.imdecode(content, cv2.IMREAD_COLOR).astype(int)


def red_dots(strip):
    """How many pixels are far more red than blue, above the band of errors."""
    picture = pixels(strip)[:VIEW_PX]
    return (picture[..., 2] - picture[..., 0] > 80).sum()


def test_strips_show_clips_and_say_how_far_off_they_are(tmp_path):
    clips = [clip_of(name) for name in "bacdefghi"] + [clip_of("z", mirrored=True)]
    section, posed = shown(tmp_path / "pool.h5", clips)
    assert [strip.title for strip in section.strips] == list("abcdfghi")
    assert section.strips[0].pictures[0].caption == "30 frames, 3.0 s, 2.0 mm off in the middle, 3.0 mm at most"
    np.testing.assert_allclose(posed[0][[0, -1], 3:75], clips[1].pose_axis_angle[[0, -1]].reshape(2, 72), atol=1e-6)
    assert "nothing of what was captured" in section.text and not any(map(red_dots, section.strips))
    (fold,) = section.folds
    assert [strip.title for strip in fold.strips] == ["e"] and fold.title.endswith("1 of 1")


def test_the_worst_fits_come_first_among_the_others(tmp_path):
    clips = [clip_of(name) for name in "abcdefghijkl"]
    worse = [replace(clip, fit_error_mm=clip.fit_error_mm + k) for k, clip in enumerate(clips)]
    section, _ = shown(tmp_path / "pool.h5", worse)
    titles = [strip.title for strip in section.folds[0].strips]
    assert len(titles) == 4 and titles == sorted(titles, reverse=True)


def test_strips_have_dots_where_something_was_captured_and_half_of_them_are_of_markers(tmp_path):
    middle = toy_body()["v_template"].mean(0)
    points = np.tile(middle, (30, 3, 1)) + np.array([[0, 0, 0], [0.2, 0, 0], [np.nan, 0, 0]])
    joints = [clip_of(f"joints{k}", Captured("joints", points)) for k in range(9)]
    section, _ = shown(tmp_path / "pool.h5", [*joints, clip_of("markers", Captured("markers", points[:, 1:]))])
    assert [strip.title for strip in section.strips] == ["joints1", "joints3", "joints5", "joints7", "markers"]
    assert section.strips[-1].pictures[0].caption.endswith("3.0 mm at most; dots: markers")
    assert "Red dots" in section.text
    assert {strip.title for strip in section.folds[0].strips} == {f"joints{k}" for k in (0, 2, 4, 6, 8)}
    # Two points of joints, one of markers; the lost one is nowhere.
    assert red_dots(section.strips[0]) > 1.5 * red_dots(section.strips[-1]) > 0
