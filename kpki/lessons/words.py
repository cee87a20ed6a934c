"""What the runner of the lessons says, in both languages."""
from __future__ import annotations

from typing import NamedTuple


class Sentences(NamedTuple):
    """The sentences of one language."""

    folder: str
    resumed: str
    keys: str
    exercise_keys: str
    right: str
    wrong: str
    failed: str
    no_hint: str
    solution: str
    first: str
    left: str
    done: str
    next: str
    ended: str
    minutes: str
    state_done: str
    state_begun: str
    goes_on: str
    begin: str


WORDS = {
    "en": Sentences(
        folder="The folder of this lesson: {folder}",
        resumed="You go on with step {step} of {count}. To begin anew: rm -r {folder}",
        keys="Enter runs the command. Other words: back, hint, help, quit; all else is a command "
             "of your own, which runs in the lesson's folder (sh opens a shell there).",
        exercise_keys="Now it is your turn: type commands of your own (sh opens a shell). Enter "
                      "checks your answer. Other words: back, hint, solve, help, quit.",
        right="Right. These commands have checked the answer:",
        wrong="Not yet.",
        failed="The command ended with status {status}.",
        no_hint="There is no hint for this step. Enter runs the command.",
        solution="The solution, which `solve` runs for you:",
        first="This is the first step.",
        left="Your place is kept. Go on with: kpki learn {name}",
        done="The lesson is done.",
        next="Next: kpki learn {name}",
        ended="These were all lessons.",
        minutes="{minutes} min",
        state_done="done",
        state_begun="step {step} of {count}",
        goes_on="Go on: {rest}",
        begin="Begin, or go on, with: kpki learn {name}"),
    "zh": Sentences(
        folder="本课的目录：{folder}",
        resumed="从第 {step} 步继续（共 {count} 步）。想从头再来：rm -r {folder}",
        keys="回车执行这条命令。还可以输入：back（上一步）、hint（提示）、help（帮助）、quit（退出）；"
             "其余输入都当作你自己的命令，在本课目录里执行（输入 sh 可打开 shell）。",
        exercise_keys="轮到你了：输入你自己的命令（sh 打开 shell），回车检查答案。"
                      "还可以输入：back、hint、solve（代做）、help、quit。",
        right="正确。用来检查的命令：",
        wrong="还不对。",
        failed="命令的退出状态是 {status}。",
        no_hint="这一步没有提示。回车执行这条命令。",
        solution="参考答案（输入 solve 代为执行）：",
        first="这已经是第一步。",
        left="进度已保存。下次继续：kpki learn {name}",
        done="本课完成。",
        next="下一课：kpki learn {name}",
        ended="全部课程到此结束。",
        minutes="{minutes} 分钟",
        state_done="已完成",
        state_begun="第 {step} 步（共 {count} 步）",
        goes_on="接着看：{rest}",
        begin="开始或继续：kpki learn {name}"),
}
