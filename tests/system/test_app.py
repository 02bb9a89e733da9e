"""The app through its endpoint: `python app.py` and a Gradio client."""

import json
import time
import zipfile
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import ExifTags, Image

from dslr_gan.page.uploads import EXAMPLE_FOLDER
from tests.support.app_server import MAKER, coffee, difference, running_app, save_phone_photo
from tests.support.bmp_with_alpha import save_bmp_with_alpha
from tests.support.hub_server import HubServer, hub_environment

PHONES = ("iphone", "sony")
ABSENT = "nobody/no-such-model"


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """The app with no repository for iphone, and for sony one that its Hub does not have."""
    folder = tmp_path_factory.mktemp("app")
    with HubServer() as hub:
        whole = hub_environment(hub, folder / "hub")
        hub_only = {key: whole[key] for key in whole if key.startswith(("HF_", "NO_PROXY"))}
        with running_app(folder, DSLR_GAN_SONY_REPO=ABSENT, **hub_only) as address:
            made = Client(address, verbose=False, download_files=folder / "downloads")
            made.folder = folder
            yield made


@pytest.fixture
def photo(tmp_path):
    return save_phone_photo(tmp_path / "walk.jpg", 160, 120)


def enhance(client, photo, phone="iphone", strength=1.0, **others):
    others = {name: handle_file(file) for name, file in others.items()}
    file, details = client.predict(
        photo=handle_file(photo), phone=phone, strength=strength, api_name="/enhance", **others
    )
    return Path(file), details


def refusal(client, photo, **values):
    with pytest.raises(AppError) as caught:
        enhance(client, photo, **values)
    text = str(caught.value)
    assert "Traceback" not in text and "gradio" not in text and "/" not in text
    return text


def test_the_endpoints_with_their_parameters_in_order(client):
    endpoints = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert list(endpoints) == ["/enhance", "/compare", "/enhance_many"]
    names = {
        name: [parameter["parameter_name"] for parameter in known["parameters"]]
        for name, known in endpoints.items()
    }
    assert names == {
        "/enhance": ["photo", "phone", "strength", "reference"],
        "/compare": ["photo", "reference", "phone", "strength"],
        "/enhance_many": ["photos", "phone", "strength"],
    }
    parameters = endpoints["/enhance"]["parameters"]
    assert [parameter["parameter_has_default"] for parameter in parameters] == [
        False, True, True, True,
    ]  # fmt: skip
    assert parameters[1]["type"]["enum"] == list(PHONES)
    assert all(len(known["returns"]) == 2 for known in endpoints.values())


@pytest.mark.slow
def test_compare_aligns_a_dslr_photo_and_tells_the_gain(client, tmp_path):
    photo = save_phone_photo(tmp_path / "phone.jpg", 320, 240)
    dslr = tmp_path / "dslr.jpg"
    coffee(1280, 960).rotate(3).crop((100, 100, 1200, 900)).save(dslr)
    file, scores = client.predict(
        photo=handle_file(photo), reference=handle_file(dslr), strength=0.5, api_name="/compare"
    )
    assert Image.open(file).size == (320, 240)
    assert 0.5 < scores["overlap"] < 0.8 and len(scores["polygon"]) == 4
    for name, gain in scores["gain"].items():
        assert gain == pytest.approx(scores["enhanced"][name] - scores["phone"][name], abs=1e-4)
    with pytest.raises(AppError, match="cannot be laid over your photo"):
        client.predict(
            photo=handle_file(photo),
            reference=handle_file(EXAMPLE_FOLDER / "rocket.jpg"),
            api_name="/compare",
        )


def test_enhance_many_takes_photos_and_zips(client, photo, tmp_path):
    archive = tmp_path / "holiday.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.write(photo, "day 1/walk.jpg")
        made.writestr("day 1/bad.jpg", b"words")
    file, items = client.predict(
        photos=[handle_file(photo), handle_file(archive)], phone="sony", api_name="/enhance_many"
    )
    assert {item["name"]: item["status"] for item in items} == {
        "walk.jpg": "enhanced", "day 1/walk.jpg": "enhanced", "day 1/bad.jpg": "failed",
    }  # fmt: skip
    with zipfile.ZipFile(file) as made:
        assert made.namelist() == ["walk.jpg", "day 1/walk.jpg"]
        assert made.read("day 1/walk.jpg") == made.read("walk.jpg")
        assert made.read("walk.jpg") == Path(enhance(client, photo, phone="sony")[0]).read_bytes()


def test_odd_requests_end_in_a_sentence_and_one_line_of_the_log(client, photo):
    log = client.folder / "app.log"
    api = f"{client.src}gradio_api"
    with photo.open("rb") as stream:
        upload = httpx.post(f"{api}/upload", files={"files": stream}).json()[0]
    file = {"path": upload, "meta": {"_type": "gradio.FileData"}}
    others = [
        {**file, "path": path}
        for path in (
            "/etc/passwd",
            "http://127.0.0.1:9/a.png",
            "data:,x",
            7,
            "\0",
            f"{upload}/../../../x",
        )
    ]
    calls = [
        *(("/call/enhance", {"data": [other, "iphone", 1, None]}) for other in others),
        ("/call/enhance", {"data": ["http://127.0.0.1:9/a.png", "iphone", 1, None]}),
        ("/call/enhance", {"data": [file]}),
        ("/call/enhance_many", {"data": [file, "auto", 1]}),
        ("/call/nothing", {"data": []}),
        ("/queue/join", {"data": [], "fn_index": 999, "session_hash": "x"}),
        ("/queue/join", {"data": ["x" * 2_000_000], "fn_index": 0, "session_hash": "x"}),
    ]
    before = log.read_text()
    for path, body in calls:
        answer = httpx.post(api + path, json=body)
        assert answer.status_code in (400, 422), (path, body)
        assert answer.json()["detail"].endswith(".")
    for path in ("http://127.0.0.1:9/a.png", "https://example.com/a.png"):
        assert httpx.get(f"{api}/file={path}").status_code == 422
    lines = log.read_text()[len(before) :].splitlines()
    assert len(lines) == len(calls) + 2 and all(line.startswith("refused") for line in lines)
    body = f'{{"data": [{json.dumps(file)}, "iphone", NaN, null]}}'
    event = httpx.post(
        f"{api}/call/enhance", content=body, headers={"content-type": "application/json"}
    ).json()["event_id"]
    answer = httpx.get(f"{api}/call/enhance/{event}", timeout=60).text
    assert "event: error" in answer and "strength must lie between 0 and 1, got nan" in answer


@pytest.mark.slow
def test_a_session_s_files_are_gone_when_it_ends(client, tmp_path):
    photo = save_phone_photo(tmp_path / "leaving.jpg", 48, 36)
    uploads = client.folder / "gradio"
    own = Client(client.src, verbose=False, download_files=tmp_path / "downloads")
    enhance(own, photo)
    assert list(uploads.rglob("leaving*.jpg"))
    own.close()
    deadline = time.monotonic() + 60
    while found := list(uploads.rglob("leaving*.jpg")):
        assert time.monotonic() < deadline, found
        time.sleep(0.5)


@pytest.mark.slow
def test_bombs_sent_at_once_are_refused_and_cost_no_memory(client, tmp_path):
    """Six PNGs of 249 megapixels, 0.7 MB each: once they took 6 GB and minutes."""
    files = []
    for number in range(6):
        file = tmp_path / f"bomb{number}.png"
        black = Image.new("1", (15_800, 15_800 + number))
        black.save(file)
        files.append(file)
    page = next(
        process
        for process in psutil.process_iter(["cmdline", "environ"])
        if "app.py" in str(process.info["cmdline"])
        and (process.info["environ"] or {}).get("GRADIO_TEMP_DIR") == str(client.folder / "gradio")
    )
    before = page.memory_info().rss
    began = time.monotonic()
    jobs = [
        client.submit(photo=handle_file(file), phone="iphone", strength=1.0, api_name="/enhance")
        for file in files
    ]
    for job in jobs:
        with pytest.raises(AppError, match="megapixels"):
            job.result(60)
    assert time.monotonic() - began < 30
    assert page.memory_info().rss - before < 200e6


@pytest.mark.slow
def test_nobody_waits_behind_a_call_that_was_cancelled(client, photo, tmp_path):
    large = save_phone_photo(tmp_path / "large.jpg", 6000, 4000)
    began = time.monotonic()
    enhance(client, photo)
    small_takes = time.monotonic() - began
    job = client.submit(handle_file(large), "iphone", 1.0, api_name="/enhance")
    while not (progress := job.status().progress_data) or (progress[0].index or 0) < 1:
        assert not job.done()
        time.sleep(0.05)
    a_tile_takes = time.monotonic() - began
    job.cancel()
    began = time.monotonic()
    enhance(client, photo)
    left = (progress[0].length - progress[0].index - 2) / progress[0].length
    assert left > 0.8
    assert time.monotonic() - began < 2 * (small_takes + a_tile_takes)  # the load may change


@pytest.mark.parametrize("named", [{}, {"url": None}, {"meta": {"_type": "gradio.FileData"}}])
def test_no_other_file_of_the_server_can_be_read(client, tmp_path, named):
    secret = tmp_path / "secret.png"
    Image.new("RGB", (40, 30)).save(secret)
    answer = httpx.post(
        f"{client.src}gradio_api/call/enhance",
        json={"data": [{"path": str(secret), **named}, "iphone", 1.0, None]},
    )
    assert answer.status_code == 422 and "upload the file first" in answer.json()["detail"]


def test_enhances_a_phone_photo_and_keeps_what_it_carries(client, tmp_path):
    photo = save_phone_photo(tmp_path / "walk in town.jpg", 160, 120, orientation=6)
    before = photo.read_bytes()
    file, details = enhance(client, photo)
    assert file.name == "walk in town_enhanced.jpg"
    with Image.open(file) as enhanced:
        assert (enhanced.format, enhanced.size) == ("JPEG", (120, 160))  # orientation 6 applied
        exif = enhanced.getexif()
        assert exif[ExifTags.Base.Make] == MAKER
        assert exif.get(ExifTags.Base.Orientation, 1) == 1
        upright = Image.open(photo).transpose(Image.Transpose.ROTATE_270)
        changed = difference(upright, enhanced)
        assert 0.5 < changed < difference(upright.transpose(Image.Transpose.ROTATE_180), enhanced)
    assert photo.read_bytes() == before
    assert (details["width"], details["height"]) == (120, 160)
    assert (details["phone"], details["strength"]) == ("iphone", 1.0)
    assert 0 < details["change_ssim"] < 1
    assert details["quality_ssim"] is None and details["note"] is None
    assert details["seconds"] > 0


@pytest.mark.parametrize(
    ("maker", "model", "phone", "words"),
    [
        ("Apple", "iPhone 3GS", "iphone", None),
        ("Apple", "iPhone 3GS", "sony", "iPhone model may suit it better"),
        ("Canon", "Canon EOS 70D", "sony", "a camera called Canon EOS 70D"),
        (None, None, "iphone", None),
    ],
)
def test_a_camera_that_the_model_did_not_learn_from_is_a_hint(
    client, tmp_path, maker, model, phone, words
):
    photo, exif = tmp_path / "walk.jpg", Image.Exif()
    if maker:
        exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = maker, model
    coffee(60, 40).save(photo, exif=exif)
    hint = enhance(client, photo, phone=phone)[1]["hint"]
    assert hint is None if words is None else words in hint and hint.endswith(".")


def test_each_phone_has_its_own_model(client, photo):
    results = [Image.open(enhance(client, photo, phone=phone)[0]) for phone in PHONES]
    assert difference(*results) > 0.1


def test_says_where_the_weights_came_from(client, photo):
    assert enhance(client, photo, phone="iphone")[1]["source"] == "bundled iPhone weights"
    source = enhance(client, photo, phone="sony")[1]["source"]
    assert "bundled Sony weights" in source and ABSENT in source


def test_strength_leads_from_the_photo_to_the_models(client, tmp_path):
    photo = tmp_path / "walk.png"
    coffee(120, 90).save(photo)
    file, details = enhance(client, photo, strength=0)
    assert difference(Image.open(photo), Image.open(file)) == 0
    assert details["change_ssim"] == 1
    changes = [enhance(client, photo, strength=strength)[1]["change_ssim"] for strength in (0.5, 1)]
    assert 1 > changes[0] > changes[1]


def test_quality_against_a_reference_of_the_same_size(client, photo, tmp_path):
    itself = enhance(client, photo, reference=photo)[1]
    assert itself["quality_ssim"] == pytest.approx(itself["change_ssim"])
    other = tmp_path / "dslr.png"
    coffee(160, 120).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(other)
    assert enhance(client, photo, reference=other)[1]["quality_ssim"] < itself["quality_ssim"]


def test_a_reference_that_cannot_be_used_is_told_and_does_no_harm(client, photo, tmp_path):
    larger, text = tmp_path / "larger.png", tmp_path / "text.jpg"
    coffee(320, 240).save(larger)
    text.write_text("not a photo")
    for reference, part in ((larger, "320×240"), (text, "text.jpg")):
        file, details = enhance(client, photo, reference=reference)
        assert Image.open(file).size == (160, 120)
        assert details["change_ssim"] < 1 and details["quality_ssim"] is None
        assert part in details["note"] and str(reference.parent) not in details["note"]


def test_files_that_are_no_photos_end_in_a_sentence(client, photo, tmp_path):
    contents = {
        "text.jpg": b"These are words.",
        "empty.jpg": b"",
        "half.jpg": photo.read_bytes()[:1500],
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        assert name in refusal(client, tmp_path / name)


def test_values_outside_the_controls_end_in_a_sentence(client, photo):
    assert "iphone or sony" in refusal(client, photo, phone="nokia")
    assert "between 0 and 1" in refusal(client, photo, strength=1.5)
    assert "between 0 and 1" in refusal(client, photo, strength="much")
    with pytest.raises(AppError, match="no photo yet"):
        client.predict(photo=None, phone="iphone", strength=1.0, api_name="/enhance")


def test_alpha_and_depth_survive(client, tmp_path):
    clear, deep = tmp_path / "clear.png", tmp_path / "deep.png"
    photo = coffee(90, 70)
    alpha = Image.linear_gradient("L").resize(photo.size)
    photo.putalpha(alpha)
    photo.save(clear)
    ramp = np.linspace(0, 65535, 90 * 70).reshape(70, 90).astype(np.uint16)
    Image.fromarray(ramp).save(deep)
    enhanced = Image.open(enhance(client, clear)[0])
    assert enhanced.mode == "RGBA"
    assert enhanced.getchannel("A").tobytes() == alpha.tobytes()
    enhanced = Image.open(enhance(client, deep)[0])
    assert enhanced.mode == "I;16"
    assert len(np.unique(np.asarray(enhanced))) > 1000


def test_formats_come_back_as_they_were(client, tmp_path):
    for name, expected in {
        "a.webp": "a_enhanced.webp",
        "b.JPEG": "b_enhanced.JPEG",
        "c.gif": "c_enhanced.png",  # read, but not written
        "d.jpg": "d_enhanced.png",  # a PNG in spite of its name
        "e.bmp": "e_enhanced.png",  # with transparency
    }.items():
        photo = tmp_path / name
        if name == "e.bmp":
            save_bmp_with_alpha(coffee(60, 40).convert("RGBA"), photo)
        else:
            coffee(60, 40).save(photo, format="PNG" if name == "d.jpg" else None)
        file, details = enhance(client, photo)
        changed = name in ("c.gif", "e.bmp")
        assert [note.endswith("the result is a PNG.") for note in details["notes"]] == [
            True
        ] * changed
        assert file.name == expected
        kind = "PNG" if expected.endswith(".png") else Image.open(photo).format
        assert Image.open(file).format == kind


def test_what_the_result_has_not_is_told(client, photo, tmp_path):
    assert enhance(client, photo)[1]["notes"] == []
    film = tmp_path / "film.gif"
    coffee(60, 40).save(film, save_all=True, append_images=[Image.new("RGB", (60, 40))])
    notes = enhance(client, film)[1]["notes"]
    assert len(notes) == 2 and "2 frames" in notes[0] and "the result is a PNG" in notes[1]


def test_at_strength_nothing_a_lossy_file_is_copied(client, photo, tmp_path):
    source = tmp_path / "lossy.jpg"
    coffee(60, 40).save(source, quality=50)
    file, details = enhance(client, source, strength=0)
    assert file.read_bytes() == source.read_bytes()
    assert details["change_ssim"] == 1 and details["notes"] == []


def test_one_pixel_is_enhanced_without_a_score(client, tmp_path):
    photo = tmp_path / "dot.png"
    coffee(1, 1).save(photo)
    file, details = enhance(client, photo)
    assert Image.open(file).size == (1, 1)
    assert details["change_ssim"] is None and details["note"] is None
    details = enhance(client, photo, reference=photo)[1]
    assert details["quality_ssim"] is None and "at least 11×11" in details["note"]
