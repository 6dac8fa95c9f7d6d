"""The typed functions that the `tools` generator offers, with ways to ask for them. Plain tables.

A request is a sentence with the function's arguments as slots; an argument that some request leaves out is
optional. Training and held-out functions share types, and neither names nor domains.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Argument:
    """A JSON type and the values to draw from, each with the words that ask for it."""

    schema: dict[str, Any]
    values: tuple[tuple[Any, str], ...]


@dataclass(frozen=True, slots=True)
class Function:
    """A function, its arguments and its requests."""

    name: str
    arguments: dict[str, Argument]
    requests: tuple[str, ...]


def text(*values: str) -> Argument:
    """Return a string argument."""
    return Argument({"type": "string"}, tuple((value, value) for value in values))


def whole(low: int, high: int) -> Argument:
    """Return an integer argument between two bounds, both included."""
    return Argument({"type": "integer"}, tuple((value, str(value)) for value in range(low, high + 1)))


def number(*values: float) -> Argument:
    """Return a number argument."""
    return Argument({"type": "number"}, tuple((value, str(value)) for value in values))


def flag(yes: str, no: str) -> Argument:
    """Return a boolean argument and the words for true and false."""
    return Argument({"type": "boolean"}, ((True, yes), (False, no)))


def choice(*values: str) -> Argument:
    """Return an argument with a few allowed strings."""
    return Argument({"type": "string", "enum": list(values)}, tuple((value, value) for value in values))


def several(*values: str) -> Argument:
    """Return an argument that is a list of two strings."""
    pairs = ((first, second) for first in values for second in values if first != second)
    return Argument({"type": "array"}, tuple(([a, b], f"{a} and {b}") for a, b in pairs))


_CITIES = text(
    "Paris",
    "Rome",
    "Oslo",
    "Madrid",
    "Berlin",
    "London",
    "Cairo",
    "Tokyo",
    "Lima",
    "Boston",
    "Delhi",
    "Milan",
)
_PEOPLE = ("Anna", "Ben", "Tom", "Mia", "Paul", "Lucy", "Max", "Nina", "Sam", "Kate")

TRAIN = (
    Function("get_weather", {"city": _CITIES}, ("What is the weather in {city}?", "Will it rain in {city}?")),
    Function(
        "start_timer",
        {"minutes": whole(2, 90)},
        ("Start a timer for {minutes} minutes.", "Count down {minutes} minutes."),
    ),
    Function(
        "add_items",
        {"items": several("milk", "bread", "rice", "eggs", "tea", "cheese", "apples", "butter")},
        ("Put {items} on the shopping list.", "We need {items} from the shop."),
    ),
    Function(
        "set_heat",
        {"degrees": number(*(half + 0.5 for half in range(14, 27)))},
        ("Heat the house to {degrees} degrees.", "Make it {degrees} degrees warm here."),
    ),
    Function(
        "invite",
        {"guests": several(*_PEOPLE)},
        ("Invite {guests} to the party.", "Ask {guests} to come to dinner."),
    ),
    Function(
        "get_news",
        {
            "topic": text(
                "sport", "music", "science", "money", "film", "health", "politics", "art", "travel", "fashion"
            )
        },
        ("Any news about {topic}?", "Read me the {topic} news."),
    ),
    Function(
        "play_song",
        {
            "title": text(
                "Yesterday",
                "Hello",
                "Imagine",
                "Thriller",
                "Africa",
                "Halo",
                "Changes",
                "Rain",
                "Home",
                "Alive",
            )
        },
        ("Play {title}.", "I want to hear the song {title}."),
    ),
    Function(
        "save_note",
        {
            "text": text(
                "pay the rent",
                "water the plants",
                "buy a gift",
                "fix the door",
                "read chapter two",
                "feed the cat",
            )
        },
        ("Make a note: {text}", "Write down: {text}"),
    ),
    Function(
        "set_alarm",
        {"hour": whole(1, 12), "minute": whole(10, 59)},
        ("Set an alarm for {hour}:{minute}.", "Wake me at {hour}:{minute}."),
    ),
    Function(
        "send_message",
        {
            "to": text(*_PEOPLE),
            "text": text("I am late", "call me", "happy birthday", "see you soon", "thank you", "come home"),
        },
        ("Tell {to}: {text}", "Send {to} the message: {text}"),
    ),
    Function(
        "convert_money",
        {
            "amount": number(2.5, 7.5, 10.5, 12.75, 19.9, 25.5, 40.5, 99.5),
            "to": choice("euro", "dollar", "yen"),
        },
        ("How much is {amount} in {to}?", "Change {amount} to {to}."),
    ),
    Function(
        "translate",
        {
            "word": text("house", "dog", "water", "friend", "sun", "tree", "night", "bread"),
            "to": choice("French", "German"),
        },
        ("What is {word} in {to}?", "Translate {word} to {to}."),
    ),
    Function(
        "set_light",
        {"room": text("kitchen", "bedroom", "hall", "bathroom", "garage", "office"), "on": flag("on", "off")},
        ("Turn the light in the {room} {on}.", "Switch {on} the {room} light."),
    ),
    Function(
        "book_table",
        {"people": whole(2, 12), "hour": whole(5, 10)},
        ("Book a table for {people} at {hour}.", "I need a table at {hour} for {people}."),
    ),
    Function(
        "add_numbers", {"a": whole(3, 60), "b": whole(3, 60)}, ("What is {a} plus {b}?", "Add {a} and {b}.")
    ),
    Function(
        "find_route",
        {"to": _CITIES, "by": choice("car", "train", "bus")},
        ("Show me the way to {to}.", "How do I get to {to} by {by}?"),
    ),
)

HELD_OUT = (
    Function(
        "water_garden",
        {"plants": several("roses", "tomatoes", "beans", "tulips", "herbs", "carrots", "peas")},
        ("Water the {plants}.", "The {plants} are dry."),
    ),
    Function(
        "set_volume",
        {"percent": whole(5, 95)},
        ("Set the volume to {percent} percent.", "Make the sound {percent} percent loud."),
    ),
    Function(
        "pair_devices",
        {"devices": several("phone", "laptop", "tablet", "printer", "watch", "speaker")},
        ("Pair my {devices}.", "Connect the {devices} with each other."),
    ),
    Function(
        "log_weight",
        {"kilos": number(*(half + 0.5 for half in range(52, 92, 2)))},
        ("I weigh {kilos} kilos today.", "My weight is {kilos} kilos."),
    ),
    Function(
        "search_flights",
        {"goal": text("Lisbon", "Vienna", "Dublin", "Athens", "Prague", "Warsaw", "Geneva", "Seoul")},
        ("Search a flight to {goal}.", "I want to fly to {goal}."),
    ),
    Function(
        "define_term",
        {"term": text("gravity", "inflation", "osmosis", "photon", "enzyme", "glacier", "algebra", "irony")},
        ("Explain {term} to me.", "What does the word {term} mean?"),
    ),
    Function(
        "order_pizza",
        {"size": choice("small", "medium", "large"), "count": whole(2, 15)},
        ("Order {count} {size} pizzas.", "We want {count} pizzas, {size}."),
    ),
    Function(
        "rent_bike",
        {"station": text("Harbour", "Museum", "Park", "Market", "Castle", "Bridge"), "hours": whole(2, 12)},
        ("Rent me a bike at {station} for {hours} hours.", "I need a bike for {hours} hours from {station}."),
    ),
    Function(
        "check_stock",
        {"product": text("lamp", "chair", "desk", "shelf", "carpet", "mirror"), "store": whole(11, 48)},
        ("Is the {product} in stock at store {store}?", "Does store {store} still have the {product}?"),
    ),
    Function(
        "multiply", {"x": whole(3, 40), "y": whole(3, 40)}, ("What is {x} times {y}?", "Multiply {x} by {y}.")
    ),
    Function(
        "lock_door",
        {
            "door": text("front", "back", "cellar", "garden", "shed"),
            "alarm": flag("with alarm", "without alarm"),
        },
        ("Lock the {door} door {alarm}.", "Close the {door} door {alarm}."),
    ),
    Function(
        "tip_amount",
        {"bill": number(12.5, 18.4, 23.9, 31.2, 45.6, 52.8, 67.3, 74.1), "rate": whole(5, 25)},
        ("What tip is {rate} percent of {bill}?", "Work out a {rate} percent tip on {bill}."),
    ),
)
