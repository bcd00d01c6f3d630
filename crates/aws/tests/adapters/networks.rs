//! EC2 on the wire.

use aws_sdk_ec2::Client;
use aws_smithy_mocks::{Rule, mock};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use holdfast_aws::config::Aws;
use holdfast_aws::ec2::Ec2;
use holdfast_core::ErrorKind;
use holdfast_core::ports::{Networks, Restores};
use holdfast_fakes::sample::home;

use crate::support::{mocked, rds, response, rules, xml, xml_error};

/// EC2 in us-east-1, answered by `answers`.
fn ec2(answers: &[&Rule]) -> Ec2 {
    let config = aws_sdk_ec2::config::Builder::from(&mocked()).interceptor(rules(answers)).build();
    Ec2::with_clients(&Aws::with_config(mocked(), home()), [(home(), Client::from_conf(config))])
}

fn answer(action: &str, inside: &str) -> HttpResponse {
    let namespace = "http://ec2.amazonaws.com/doc/2016-11-15/";
    response(200, format!("<{action}Response xmlns=\"{namespace}\">{inside}</{action}Response>"))
}

/// An error as EC2 writes it.
fn denied() -> HttpResponse {
    let error = "<Errors><Error><Code>UnauthorizedOperation</Code><Message>no</Message></Error></Errors>";
    response(403, format!("<Response>{error}<RequestID>r</RequestID></Response>"))
}

#[tokio::test]
async fn security_groups_that_are_there_are_found_with_their_network_on_every_page() {
    let page = |ids: &[&str], next: &str| {
        let items: String = ids
            .iter()
            .map(|id| format!("<item><groupId>{id}</groupId><vpcId>vpc-{id}</vpcId></item>"))
            .collect();
        answer("DescribeSecurityGroups", &format!("<securityGroupInfo>{items}</securityGroupInfo>{next}"))
    };
    let first = mock!(Client::describe_security_groups)
        .match_requests(|asked| {
            let [filter] = asked.filters() else { return false };
            // Not by GroupIds: one that is missing would fail the call for the others.
            asked.group_ids().is_empty()
                && filter.name() == Some("group-id")
                && filter.values() == ["sg-1", "sg-2", "sg-3"]
                && asked.next_token().is_none()
        })
        .then_http_response(move || page(&["sg-1", "sg-other"], "<nextToken>more</nextToken>"));
    let second = mock!(Client::describe_security_groups)
        .match_requests(|asked| asked.next_token() == Some("more"))
        .then_http_response(move || page(&["sg-3"], ""));
    let asked = ["sg-1", "sg-2", "sg-3"].map(str::to_owned);
    let found = ec2(&[&first, &second]).security_groups(&home(), &asked).await.unwrap();
    let found: Vec<_> = found.iter().map(|(id, vpc)| (id.as_str(), vpc.as_str())).collect();
    assert_eq!(found, [("sg-1", "vpc-sg-1"), ("sg-3", "vpc-sg-3")]);
    // A second page that is not seen is no end of the list.
    let refused = mock!(Client::describe_security_groups)
        .match_requests(|asked| asked.next_token() == Some("more"))
        .then_http_response(denied);
    let error = ec2(&[&first, &refused]).security_groups(&home(), &asked).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::AccessDenied, "{error}");
}

#[tokio::test]
async fn the_default_network_is_found_or_there_is_none() {
    let vpc = |default: &str| format!("<item><vpcId>vpc-1</vpcId><isDefault>{default}</isDefault></item>");
    for (inside, expected) in
        [(vpc("true"), Some("vpc-1".to_owned())), (vpc("false"), None), (String::new(), None)]
    {
        let inside = format!("<vpcSet>{inside}</vpcSet>");
        let rule = mock!(Client::describe_vpcs).then_http_response(move || answer("DescribeVpcs", &inside));
        assert_eq!(ec2(&[&rule]).default_vpc(&home()).await, Ok(expected));
    }
    let rule = mock!(Client::describe_vpcs).then_http_response(denied);
    assert_eq!(ec2(&[&rule]).default_vpc(&home()).await.unwrap_err().kind, ErrorKind::AccessDenied);
}

#[tokio::test]
async fn the_network_of_a_subnet_group_is_rdss_to_say() {
    let of = async |answer: fn() -> HttpResponse| {
        let rule = mock!(aws_sdk_rds::Client::describe_db_subnet_groups)
            .match_requests(|asked| asked.db_subnet_group_name() == Some("n"))
            .then_http_response(answer);
        rds(&[&rule]).subnet_group_vpc(&home(), "n").await
    };
    let group = || {
        let inside = "<DBSubnetGroups><DBSubnetGroup><VpcId>vpc-1</VpcId></DBSubnetGroup></DBSubnetGroups>";
        xml("DescribeDBSubnetGroups", inside)
    };
    assert_eq!(of(group).await, Ok(Some("vpc-1".to_owned())));
    assert_eq!(of(|| xml_error(404, "DBSubnetGroupNotFoundFault", "m")).await, Ok(None));
    assert_eq!(of(|| xml_error(403, "AccessDenied", "m")).await.unwrap_err().kind, ErrorKind::AccessDenied);
    // An answer that does not say it is none that there is no group.
    let empty = of(|| xml("DescribeDBSubnetGroups", "<DBSubnetGroups></DBSubnetGroups>")).await;
    assert_eq!(empty.unwrap_err().kind, ErrorKind::OutcomeUnknown);
}
