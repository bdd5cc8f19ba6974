"""What `starter train` runs for its options, and what it keeps, sets aside or refuses; no stage is run here."""

import argparse

import pytest

from toolkit.starter import chain
from toolkit.starter.chain import BESIDE, STAGES
from toolkit.starter.cli import add_arguments, run

PARTS = ("vae", "text_encoder", "tokenizer", "unet")


@pytest.fixture
def ran(monkeypatch):
    """The stages that ran, each leaving what it leaves when it is through."""
    stages: list[str] = []

    def leave(stage, args):
        stages.append(stage)
        for name in STAGES[stage].leaves:
            path = args.work / name.replace("*", "neon")
            if not path.is_dir():
                path.write_text(f"new {stage}")

    monkeypatch.setattr(chain, "_run", leave)
    return stages


@pytest.fixture
def train(tmp_path, monkeypatch, capsys):
    """Runs `starter train` with options, in work folder `work` and with `model` in the place of the shipped one."""
    monkeypatch.setattr(chain, "FOLDER", tmp_path / "model")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "card.json").write_text("{}")

    def start(*words: str, out: str = "model") -> tuple[int, str]:
        parser = argparse.ArgumentParser()
        add_arguments(parser)
        words = ("train", "--work", str(tmp_path / "work"), "--out", str(tmp_path / out), *words)
        code = run(parser.parse_args(words))
        said = capsys.readouterr()
        return code, said.err + said.out

    return start


@pytest.fixture
def trained(tmp_path):
    """A trained model's folder to start from."""
    for part in PARTS:
        (tmp_path / "trained" / part).mkdir(parents=True)
        (tmp_path / "trained" / part / "config.json").write_text(part)
    return tmp_path / "trained"


def test_all_stages_run_in_order(train, ran):
    assert train()[0] == 0
    assert ran == list(STAGES)


def test_a_new_run_takes_nothing_of_an_earlier_one_for_its_own(train, ran, tmp_path):
    train()
    ran.clear()
    (tmp_path / "work" / "vae").write_text("earlier")
    assert train()[0] == 0
    assert ran == list(STAGES)
    assert (tmp_path / "work" / "earlier" / "vae").read_text() == "earlier"
    assert (tmp_path / "work" / "style-neon.pt").read_text() == "new styles"


def test_resuming_keeps_what_is_through(train, ran):
    train()
    ran.clear()
    _, said = train("--resume")
    assert not {"vae", "text", "scenes"} & set(ran)
    assert "vae: done already" in said


def test_an_interrupted_run_is_not_finished_with_an_earlier_ones_states(train, ran, tmp_path, monkeypatch):
    train()
    leave = chain._run

    def stops(stage, args):
        if stage == "scenes":
            raise KeyboardInterrupt
        leave(stage, args)

    monkeypatch.setattr(chain, "_run", stops)
    with pytest.raises(KeyboardInterrupt):
        train()
    work = tmp_path / "work"
    assert not any((work / name).exists() for name in ("latents.pt", "denoiser.pt", "folder", "clip.pt"))
    assert (work / "earlier" / "denoiser.pt").exists()


def test_one_stage_begun_anew_sets_aside_what_stood_on_it(train, ran, tmp_path):
    train()
    assert train("--stage", "denoiser")[0] == 0
    work = tmp_path / "work"
    assert (work / "earlier" / "things.pt").exists()
    assert not (work / "things.pt").exists()
    assert (work / "style-neon.pt").exists()
    assert train("--stage", "text")[0] == 0
    assert not (work / "folder").exists()
    assert not (work / "style-neon.pt").exists()


def test_words_that_go_on_from_a_model_keep_what_stood_on_them(train, ran, tmp_path, trained):
    train()
    assert train("--stage", "text", "--start", str(trained))[0] == 0
    assert (tmp_path / "work" / "denoiser.pt").exists()


def test_a_stage_that_lacks_something_sets_nothing_aside(train, ran, tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    (work / "denoiser.pt").write_text("hours of work")
    code, said = train("--stage", "denoiser")
    assert code == 2
    assert "`--stage vae`" in said
    assert (work / "denoiser.pt").exists()


def test_the_denoiser_goes_on_from_a_model_in_an_empty_work_folder(train, ran, tmp_path, trained):
    assert train("--stage", "denoiser", "--start", str(trained))[0] == 0
    assert ran == ["scenes", "denoiser"]
    assert (tmp_path / "work" / "vae" / "config.json").read_text() == "vae"


def test_a_whole_run_from_a_model_keeps_its_autoencoder(train, ran, tmp_path, trained):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "vae").write_text("earlier")
    assert train("--start", str(trained))[0] == 0
    assert ran == [stage for stage in STAGES if stage != "vae"]
    assert (tmp_path / "work" / "vae" / "config.json").read_text() == "vae"


def test_a_resumed_run_goes_on_with_its_own_options(train, ran, trained, monkeypatch):
    train("--start", str(trained), "--more", "poster=0.2")
    seen = []
    monkeypatch.setattr(chain, "_run", lambda stage, args: seen.append((stage, args.start, dict(args.more))))
    train("--resume")
    assert ("denoiser", trained, {"poster": 0.2}) in seen
    assert "text" not in {stage for stage, *_ in seen}


def test_words_are_learned_by_a_run_that_stopped_before_them(train, ran, trained, monkeypatch):
    def stops(stage, args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(chain, "_run", stops)
        with pytest.raises(KeyboardInterrupt):
            train("--start", str(trained))
    assert train("--resume")[0] == 0
    assert "text" in ran


def test_a_model_elsewhere_ends_with_publishing(train, ran):
    code, said = train(out="mine")
    assert code == 0
    assert ran[-1] == "publish"
    assert "trained for" in said


@pytest.mark.parametrize("stage", BESIDE)
def test_what_goes_beside_the_model_takes_no_out(train, ran, stage):
    code, said = train("--stage", stage, out="mine")
    assert code == 2
    assert "takes no --out" in said
    assert not ran


@pytest.mark.parametrize(
    "words, sentence",
    [
        (("--minutes", "5"), "name it with --stage"),
        (("--stage", "publish", "--minutes", "5"), "name it with --stage"),
        (("--stage", "clip", "--start", "models"), "The stage clip takes no --start"),
        (("--stage", "vae", "--more", "thing=0.5"), "The stage vae takes no --more"),
        (("--stage", "text", "--start", "nowhere"), "no trained model to go on from at nowhere: text_encoder"),
        (("--stage", "decoder", "--start", "models"), "The stage decoder takes no --start"),
    ],
)
def test_options_that_a_stage_cannot_follow_are_refused(train, ran, words, sentence):
    code, said = train(*words)
    assert code == 2
    assert sentence in said
    assert not ran


def test_a_start_that_a_new_run_would_set_aside_is_refused(train, ran, tmp_path, trained):
    inside = tmp_path / "work" / "folder"
    inside.parent.mkdir()
    trained.rename(inside)
    code, said = train("--stage", "denoiser", "--start", str(inside))
    assert code == 2
    assert "copy it elsewhere first" in said
    assert (inside / "unet").exists()


def test_more_minutes_for_what_keeps_no_state_are_refused(train, ran):
    train()
    code, said = train("--stage", "text", "--resume", "--minutes", "9")
    assert code == 2
    assert "The stage text is done and can't go on" in said


@pytest.mark.parametrize("wrong", ["0", "-3", "nan", "inf", "soon"])
def test_minutes_are_a_number_above_zero(train, capsys, wrong):
    with pytest.raises(SystemExit):
        train("--minutes", wrong)
    assert f"“{wrong}” should be a number of minutes above 0" in capsys.readouterr().err


def test_a_work_folder_that_is_a_file_is_a_sentence(train, ran, tmp_path):
    (tmp_path / "work").write_text("a file")
    code, said = train()
    assert code == 2
    assert "can't be the work folder" in said
