# SPDX-License-Identifier: Apache-2.0
"""The words of the pages, in the languages of the site."""
from django.utils.translation import get_language

TEXTS = {
    "en": {
        "site": "Portal",
        "skip": "Skip to the content",
        "language": "Language",
        "write": "Write feedback",
        "mine": "My feedback",
        "write_intro": "Tell us what does not work, what you miss, or what you would like to know. The answer will be under “My feedback”.",
        "nickname": "Nickname",
        "nickname_help": "The one that you have in the game. It may stay empty.",
        "category": "Topic",
        "message": "Your message",
        "message_help": "From 10 to 2000 characters.",
        "file": "A file",
        "file_help": "A picture of it, say. At most 500 KB.",
        "file_large": "The file is larger than 500 KB.",
        "files": "Files",
        "send": "Send",
        "optional": "optional",
        "wrong": "Please correct what is marked below.",
        "thanks": "Thank you, your feedback was accepted.",
        "nothing": "You have not written anything yet.",
        "status": "Status",
        "ticket": "Number",
        "on_its_way": "on its way to the team",
        "written": "Written",
        "answers": "Answers",
        "team": "Team",
        "you": "You",
        "more": "Add something",
        "added": "It was added to your feedback.",
        "empty": "Please write something first.",
        "categories": {"bug": "Bug", "wish": "Wish", "question": "Question", "other": "Other"},
        "statuses": {
            "new": "New",
            "read": "Read",
            "in_progress": "In progress",
            "replied": "Replied",
            "closed": "Closed",
        },
    },
    "ru": {
        "site": "Портал",
        "skip": "К содержанию",
        "language": "Язык",
        "write": "Написать нам",
        "mine": "Мои обращения",
        "write_intro": "Расскажите, что не работает, чего не хватает или что хочется узнать. Ответ появится на странице «Мои обращения».",
        "nickname": "Ник",
        "nickname_help": "Ваш ник в игре. Можно не заполнять.",
        "category": "Тема",
        "message": "Сообщение",
        "message_help": "От 10 до 2000 символов.",
        "file": "Файл",
        "file_help": "Например, снимок экрана. Не больше 500 КБ.",
        "file_large": "Файл больше 500 КБ.",
        "files": "Файлы",
        "send": "Отправить",
        "optional": "необязательно",
        "wrong": "Исправьте, пожалуйста, отмеченное ниже.",
        "thanks": "Спасибо, обращение принято.",
        "nothing": "Вы ещё ничего не написали.",
        "status": "Статус",
        "ticket": "Номер",
        "on_its_way": "передаётся команде",
        "written": "Написано",
        "answers": "Ответы",
        "team": "Команда",
        "you": "Вы",
        "more": "Дополнить",
        "added": "Добавлено к вашему обращению.",
        "empty": "Сначала напишите что-нибудь.",
        "categories": {"bug": "Ошибка", "wish": "Пожелание", "question": "Вопрос", "other": "Другое"},
        "statuses": {
            "new": "Новое",
            "read": "Прочитано",
            "in_progress": "В работе",
            "replied": "Ответили",
            "closed": "Закрыто",
        },
    },
}


def texts():
    """The words in the language of the request that is being served."""
    return TEXTS.get((get_language() or "")[:2], TEXTS["en"])


def context(request):
    return {"texts": texts()}
